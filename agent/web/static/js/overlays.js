// Painting masks over the scan. The library gives every value of a label map the same strength, so what is brought out
// and what is dimmed are painted one after the other, from copies that hold only the values of that pass.

import { SHOWN } from "./masks.js";
import { eachVoxel } from "./singles.js";

// Intent of a NIfTI file that holds labels; other values are coloured by a ramp.
const LABELS = 1002;
const FAINT = 0.12;
const PREVIEW = {
  R: [0, 110, 255, 60],
  G: [0, 170, 80, 230],
  B: [0, 255, 70, 120],
  A: [0, 255, 255, 255],
  I: [0, 1, 2, 3],
};
const PREVIEW_PASSES = [
  { alpha: 0.3, shown: [0, 1, 0, 0], table: PREVIEW },
  { alpha: 0.75, shown: [0, 0, 1, 1], table: PREVIEW },
];

/** The label maps over the scan. */
export class Overlays {
  /** @type {{image: any, layer: number, values: Uint8Array|Uint16Array, grid?: any}[]} */
  #maps = [];
  #preview = null;

  /** @param {any} nv the viewer library @param {import("./masks.js").MaskSet} masks */
  constructor(nv, masks) {
    this.nv = nv;
    this.masks = masks;
    this.outline = false;
    const interpolate = nv.updateInterpolation.bind(nv);
    // Masks end at voxels; a smooth edge would show what is not there.
    nv.updateInterpolation = (layer, linear) => {
      nv.opts.isNearestInterpolation = layer > 0;
      interpolate(layer, linear && layer === 0);
      nv.opts.isNearestInterpolation = false;
    };
  }

  /**
   * Take a label map.
   * @param {any} image
   * @param {number} layer
   * @param {{start: number[], factor: number[]}} place where it begins in the scan, and how coarse it is
   */
  add(image, layer, place) {
    const grid = { ...place, size: Array.from(image.hdr.dims).slice(1, 4) };
    this.#maps.push({ image, layer, values: image.img, grid });
  }

  /** What a correction would change, over everything else; null for none. */
  preview(image) {
    this.#preview = image && { image, layer: -1, values: image.img };
  }

  /** Let go of all of them. */
  clear() {
    this.#maps = [];
    this.#preview = null;
    this.nv.overlays = [];
  }

  /** Paint them all anew. */
  paint() {
    const { nv } = this;
    if (nv.volumes.length === 0) return;
    const maps = this.#preview ? [...this.#maps, this.#preview] : this.#maps;
    nv.overlays = maps.map((one) => one.image);
    if (maps.length === 0) return;
    // The library makes a new texture at every turn and leaves the old one to chance.
    nv.gl.deleteTexture(nv.overlayTexture);
    let at = 1;
    for (const map of maps) {
      const passes = map === this.#preview ? PREVIEW_PASSES : this.masks.passes(map.layer);
      for (const pass of passes) this.#pass(map, pass, at++);
    }
    if (at === 1) this.#pass(maps[0], { alpha: 0, shown: [0], table: PREVIEW }, at);
    nv.opts.atlasOutline = 0;
    nv.drawScene();
  }

  /** A copy of a label map with the values of one pass. */
  #chosen({ values, grid }, shown) {
    const whole = shown.map((much, value) => (much === SHOWN.all || much === SHOWN.others ? value : 0));
    const kept = values.map((value) => whole[value]);
    if (!shown.includes(SHOWN.singles) && !shown.includes(SHOWN.others)) return kept;
    for (const single of this.masks.singles) {
      eachVoxel(single, grid, (at) => {
        const value = values[at];
        if (shown[value] === SHOWN.singles) kept[at] = value;
        else if (shown[value] === SHOWN.others) kept[at] = 0;
      });
    }
    return kept;
  }

  #pass(map, { alpha, shown, table }, at) {
    const { nv, outline } = this;
    const { image, values } = map;
    image.img = this.#chosen(map, shown);
    // The library fades the edge of a label unless that is drawn as an outline; a small lesion would be all edge.
    image.opacity = outline ? alpha * FAINT : alpha;
    image.hdr.intent_code = LABELS;
    nv.opts.atlasOutline = outline ? Math.min(1, alpha * 1.6) : alpha;
    image.setColormapLabel(table);
    nv.refreshLayers(image, at);
    image.img = values;
  }
}
