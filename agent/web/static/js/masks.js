// Which structures are shown, how strongly, and the colour of each value in the label maps of the overlays.

/**
 * @typedef {{id: string, name: string, kind: string, colour: string, keys: number[][], voxels: number,
 *   centre_mm: number[]|null, by: "labels"|"engine"|"reviewer"}} Structure
 * @typedef {{id: string, structure: string, name: string, volume_cm3: number, long_axis_mm: number|null,
 *   short_axis_mm: number|null, slice: number, centre_mm: number[], counted: boolean}} Lesion
 * @typedef {{source: string, notes: string[], layers: {layer: number, labels: number}[], structures: Structure[],
 *   lesions: Lesion[]}} Masks
 */

/** How much of a value a pass shows: nothing, all its voxels, those of the single lesions, those of the others. */
export const SHOWN = { none: 0, all: 1, singles: 2, others: 3 };
const DIMMED = 0.3;
const LESION = "lesion";

/** The masks of a scan or a run, with what the user wants to see of them. Tells `change` when the picture differs. */
export class MaskSet extends EventTarget {
  constructor() {
    super();
    this.opacity = 0.5;
    /** @type {Set<string>} */
    this.on = new Set();
    /** @type {Set<string>} */
    this.highlighted = new Set();
    /** Lesions that are meant alone, of the classes that are highlighted. @type {import("./singles.js").Single[]} */
    this.singles = [];
    this.set(null, "");
  }

  /**
   * Take other masks; what was on stays on, where it is still there.
   * @param {Masks|null} masks
   * @param {string} path of their label maps, without the layer
   */
  set(masks, path) {
    const known = new Set((this.masks?.structures ?? []).map((one) => one.id));
    this.masks = masks;
    this.path = path;
    this.highlighted = new Set();
    this.singles = [];
    const shown = this.structures.filter((one) => (known.has(one.id) ? this.on.has(one.id) : this.#first(one)));
    this.on = new Set(shown.map((one) => one.id));
    this.dispatchEvent(new Event("replaced"));
  }

  /** Lesions are shown at first; everything is where there are none. */
  #first(structure) {
    return structure.kind === LESION || !this.structures.some((one) => one.kind === LESION);
  }

  /** @returns {Structure[]} */
  get structures() {
    return this.masks?.structures ?? [];
  }

  /** @returns {Lesion[]} */
  get lesions() {
    return this.masks?.lesions ?? [];
  }

  /** Classes of lesions that a reviewer may add to, though none has a voxel yet. */
  get addable() {
    return this.masks?.addable ?? [];
  }

  get layers() {
    return this.masks?.layers ?? [];
  }

  /** A structure by its id; a lesion's id (`liver_tumor#2`) finds its structure. */
  structure(id) {
    const base = id.split("#")[0];
    return this.structures.find((one) => one.id === base) ?? null;
  }

  /** Whether two sets have the same voxels and names. */
  same(masks) {
    const core = (one) => JSON.stringify([one?.layers ?? [], one?.structures ?? []]);
    return core(this.masks) === core(masks);
  }

  toggle(id, on) {
    if (on) this.on.add(id);
    else this.on.delete(id);
    this.#changed();
  }

  toggleAll(ids, on) {
    for (const id of ids) {
      if (on) this.on.add(id);
      else this.on.delete(id);
    }
    this.#changed();
  }

  fade(opacity) {
    this.opacity = Math.min(1, Math.max(0, opacity));
    this.#changed();
  }

  /**
   * Bring these structures out, and dim the others; none: all as before.
   * @param {string[]} ids a lesion has its number ("liver_tumor#2")
   * @param {import("./singles.js").Single[]} singles the voxels of those lesions
   */
  highlight(ids, singles = []) {
    const wanted = new Set(ids.map((id) => id.split("#")[0]).filter((id) => this.structure(id)));
    const meant = singles.filter(({ structure }) => ids.includes(structure) && wanted.has(structure.split("#")[0]));
    const key = (set, list) => JSON.stringify([[...set].sort(), list.map((one) => one.structure)]);
    if (key(wanted, meant) === key(this.highlighted, this.singles)) return;
    this.highlighted = wanted;
    this.singles = meant;
    this.#changed();
  }

  /** Whether only single lesions of a structure are meant. */
  #alone(id) {
    return this.singles.some((one) => one.structure.split("#")[0] === id);
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  /** Ids of what is drawn now. */
  visible() {
    return this.structures.filter((one) => this.on.has(one.id) || this.highlighted.has(one.id)).map((one) => one.id);
  }

  /**
   * How one label map is painted: a value is visible if any structure that has it is on, in the colour of the most
   * particular one (highlighted before others, lesions before organs, small before large). While something is
   * highlighted, the rest is painted first, and faintly; where single lesions are, the rest is also their class.
   * @param {number} layer
   * @returns {{alpha: number, shown: number[], table: {R: number[], G: number[], B: number[], A: number[], I: number[]}}[]}
   *   for each pass its strength, how much it shows of every value (see `SHOWN`), and the colours of all values from 0
   */
  passes(layer) {
    const owners = this.#owners(layer);
    const last = Math.max(1, ...owners.keys());
    const values = Array.from({ length: last + 1 }, (_, value) => value);
    const colours = values.map((value) => Number.parseInt(owners.get(value)?.colour.slice(1) ?? "0", 16));
    const table = {
      R: colours.map((one) => (one >> 16) & 255),
      G: colours.map((one) => (one >> 8) & 255),
      B: colours.map((one) => one & 255),
      A: values.map((value) => (owners.has(value) ? 255 : 0)),
      I: values,
    };
    const pass = (alpha, chosen) => ({
      alpha,
      table,
      shown: values.map((value) => (owners.has(value) ? chosen(owners.get(value)) : SHOWN.none)),
    });
    const dim = ({ id }) => {
      if (!this.highlighted.has(id)) return SHOWN.all;
      return this.#alone(id) && this.on.has(id) ? SHOWN.others : SHOWN.none;
    };
    const bright = ({ id }) => {
      if (!this.highlighted.has(id)) return SHOWN.none;
      return this.#alone(id) ? SHOWN.singles : SHOWN.all;
    };
    const passes =
      this.highlighted.size === 0
        ? [pass(this.opacity, () => SHOWN.all)]
        : [pass(this.opacity * DIMMED, dim), pass(Math.min(1, this.opacity + 0.15), bright)];
    return passes.filter((one) => one.alpha > 0 && one.shown.some((much) => much !== SHOWN.none));
  }

  #owners(layer) {
    const owners = new Map();
    for (const structure of this.structures) {
      if (!this.on.has(structure.id) && !this.highlighted.has(structure.id)) continue;
      for (const [of, value] of structure.keys) {
        if (of === layer) owners.set(value, this.#closer(owners.get(value), structure));
      }
    }
    return owners;
  }

  #closer(one, other) {
    if (!one) return other;
    const rank = (it) => [this.highlighted.has(it.id) ? 0 : 1, it.kind === LESION ? 0 : 1, it.voxels];
    const [a, b] = [rank(one), rank(other)];
    const at = a.findIndex((value, index) => value !== b[index]);
    return at < 0 || a[at] < b[at] ? one : other;
  }
}
