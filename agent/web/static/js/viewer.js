// The viewer: a scan in three planes and in 3D, with its masks, a crosshair, a window and measurement lines.

import { Niivue } from "../vendor/niivue/niivue.js";
import { Lines } from "./lines.js";
import { FOUR, LAYOUTS, MOUSE, OPTIONS, visibleCrosshair } from "./look.js";
import { MaskSet } from "./masks.js";
import { Overlays } from "./overlays.js";
import { labelImage, partAround, query, scanImage } from "./volumes.js";

/**
 * Tells `moved` (the crosshair), `window`, `layout`, `loading` (detail: {text, part} or null), `loaded`, and `failed`
 * (detail: why) where the image could not be loaded.
 */
export class Viewer extends EventTarget {
  #canvas;
  #loading = new AbortController();
  #preview = null;
  #wanted = [0, null];

  /** @param {HTMLCanvasElement} canvas @param {SVGElement} overlay drawn over the canvas */
  constructor(canvas, overlay) {
    super();
    this.#canvas = canvas;
    this.masks = new MaskSet();
    this.window = { level: 40, width: 400 };
    this.layout = "multi";
    this.scan = null;
    this.level = 0;
    this.box = null;
    this.mm = null;
    /** What the server said of the voxel below the crosshair. */
    this.voxel = null;
    /** Whether this browser cannot show an image; everything else works without. */
    this.broken = false;
    this.nv = new Niivue({ ...OPTIONS });
    this.overlays = new Overlays(this.nv, this.masks);
    this.lines = new Lines(this.nv, overlay);
    this.masks.addEventListener("change", () => this.overlays.paint());
  }

  /** Take the canvas. @throws where the browser has no WebGL 2 */
  async attach() {
    const { nv } = this;
    // The page has its own keys, drop zone and double click; those of the library would compete.
    for (const name of ["keyDownListener", "keyUpListener", "dragEnterListener", "dragOverListener", "resetBriCon"]) {
      nv[name] = () => {};
    }
    nv.dropListener = async () => {};
    nv.windowingHandler = (x, y) => this.#drag(x, y);
    nv.onLocationChange = (data) => this.#moved(Array.from(data.mm).slice(0, 3));
    const draw = nv.drawScene.bind(nv);
    nv.drawScene = (...values) => {
      const drawn = draw(...values);
      if (visibleCrosshair(nv)) draw(...values);
      this.lines.draw();
      return drawn;
    };
    await nv.attachToCanvas(this.#canvas, false);
    nv.setMouseEventConfig(MOUSE);
    this.show(this.layout);
  }

  get ready() {
    return this.nv.volumes.length > 0;
  }

  /** The scan's level of that number. */
  #level(number) {
    return this.scan.levels.find((one) => one.level === number);
  }

  /** Whether the scan has more detail than is shown. */
  get reduced() {
    return this.scan !== null && this.scan.preview !== 0;
  }

  /** Open a scan as a whole; `masks` and where their label maps are. */
  async open(scan, masks, path) {
    this.scan = scan;
    this.mm = null;
    this.#preview = null;
    this.lines.set([], null);
    this.masks.set(masks, path);
    if (this.broken) this.#tell("loaded");
    else await this.#load(scan.preview, null);
  }

  /** Load what could not be loaded. */
  async again() {
    await this.#load(...this.#wanted);
  }

  /** Close what is open. */
  close() {
    this.#loading.abort();
    this.scan = null;
    this.box = null;
    this.mm = null;
    this.voxel = null;
    this.#clear();
    this.masks.set(null, "");
    this.lines.set([], null);
    this.nv.drawScene();
    this.#tell("loaded");
  }

  /** Other masks on the same scan; the voxels are fetched only if they differ. */
  async replaceMasks(masks, path) {
    if (this.masks.same(masks)) return;
    this.masks.set(masks, path);
    if (this.ready) await this.#load(this.level, this.box, true);
  }

  /** Full resolution of the part around the crosshair. */
  async part() {
    const at = this.nv.volumes[0].mm2vox(this.mm, true);
    const { factor } = this.#level(this.level);
    const start = this.box ? [this.box[0], this.box[2], this.box[4]] : [0, 0, 0];
    const voxel = [0, 1, 2].map((axis) => start[axis] + (at[axis] + 0.5) * factor[axis] - 0.5);
    await this.#load(0, partAround(voxel, this.#level(0).shape));
  }

  /** The whole scan again. */
  async whole() {
    await this.#load(this.scan.preview, null);
  }

  async #load(level, box, masksOnly = false) {
    this.#loading.abort();
    const loading = new AbortController();
    this.#loading = loading;
    const { signal } = loading;
    this.#wanted = [level, box];
    const ask = query(level, box);
    const progress = (text) => (received, total) => {
      this.#tell("loading", { text, part: total ? received / total : null });
    };
    this.#tell("loading", { text: "Loading the scan", part: null });
    try {
      if (!masksOnly) {
        this.#clear();
        const options = { window: this.window, signal, progress: progress("Loading the scan") };
        const image = await scanImage(`/api/scans/${this.scan.id}/volume?${ask}`, options);
        signal.throwIfAborted();
        this.nv.addVolume(image);
        this.level = level;
        this.box = box;
        this.nv.setPan2Dxyzmm([0, 0, 0, 1]);
        this.jump(this.mm ?? this.#start());
      }
      this.overlays.clear();
      for (const { layer } of this.masks.layers) {
        const image = await labelImage(`${this.masks.path}/${layer}?${ask}`, {
          signal,
          progress: progress("Loading the masks"),
        });
        signal.throwIfAborted();
        const start = box ? [box[0], box[2], box[4]] : [0, 0, 0];
        this.overlays.add(image, layer, { start, factor: this.#level(level).factor });
      }
      if (this.#preview) await this.#addPreview(ask);
      this.overlays.paint();
    } catch (error) {
      if (error.name !== "AbortError" && this.#loading === loading) this.#tell("failed", error.message);
      return;
    }
    if (this.#loading === loading) this.#tell("loading", null);
    this.#tell("loaded");
  }

  /** The largest lesion is looked at first, else the middle. */
  #start() {
    const [first] = [...this.masks.lesions].sort((one, other) => other.volume_cm3 - one.volume_cm3);
    if (first) return first.centre_mm;
    // The middle of a voxel: between two slices, the image and the value below the crosshair could differ.
    const middle = this.nv.volumes[0].dimsRAS.slice(1, 4).map((size) => (Math.floor(size / 2) + 0.5) / size);
    return Array.from(this.nv.frac2mm(middle, 0, true)).slice(0, 3);
  }

  /** Take everything out; what is to come has the memory to itself. */
  #clear() {
    this.overlays.clear();
    this.nv.volumes = [];
    this.nv.back = null;
  }

  /** Show what a correction would change, over everything else; null takes it away. */
  async preview(path) {
    this.#preview = path;
    this.overlays.preview(null);
    if (path) await this.#addPreview(query(this.level, this.box));
    this.overlays.paint();
  }

  async #addPreview(ask) {
    const path = this.#preview;
    const image = await labelImage(`${path}?${ask}`);
    if (path === this.#preview) this.overlays.preview(image);
  }

  /** Outlines instead of areas. */
  setOutline(on) {
    this.overlays.outline = on;
    this.overlays.paint();
  }

  /** Move the crosshair to a point (mm, RAS); a point beside the part that is shown opens the whole again. */
  jump(mm) {
    if (this.broken) this.#moved(mm);
    if (!this.ready) return;
    const place = this.nv.mm2frac(mm, 0, true);
    if (this.box && place.some((value) => value < 0 || value > 1)) {
      this.mm = mm;
      this.whole();
      return;
    }
    this.nv.scene.crosshairPos = place.map((value) => Math.min(1, Math.max(0, value)));
    this.nv.createOnLocationChange();
    this.nv.drawScene();
  }

  /** Bring the image into view, where the page is long. */
  reveal() {
    this.#canvas.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  /** Move the crosshair by voxels of what is shown, towards the left, the front and the head. */
  step(left, front, up) {
    // The grid is the nearest to RAS: its first axis runs towards the patient's right.
    if (this.ready) this.nv.moveCrosshairInVox(-left, front, up);
  }

  /** Magnify around the crosshair; 0 shows all again. */
  zoom(factor) {
    const { pan2Dxyzmm: pan } = this.nv.scene;
    const wanted = factor === 0 ? 1 : Math.min(10, Math.max(0.5, pan[3] * factor));
    const at = this.nv.frac2mm(this.nv.scene.crosshairPos);
    const moved = [0, 1, 2].map((axis) => (factor === 0 ? 0 : pan[axis] + (pan[3] - wanted) * at[axis]));
    this.nv.setPan2Dxyzmm([...moved, wanted]);
  }

  setWindow(level, width) {
    this.window = { level, width: Math.max(1, width) };
    if (this.ready) {
      const [scan] = this.nv.volumes;
      scan.cal_min = level - this.window.width / 2;
      scan.cal_max = level + this.window.width / 2;
      this.nv.refreshLayers(scan, 0);
      this.nv.drawScene();
    }
    this.#tell("window");
  }

  #drag(x, y) {
    const { uiData } = this.nv;
    const { level, width } = this.window;
    const [across, down] = [x - uiData.windowX, y - uiData.windowY];
    uiData.windowX = x;
    uiData.windowY = y;
    const pace = Math.max(0.5, width / 300);
    this.setWindow(Math.round(level - down * pace), Math.round(width + across * pace));
  }

  /** @param {"multi"|"axial"|"coronal"|"sagittal"|"render"} layout */
  show(layout) {
    this.layout = layout;
    if (layout === "multi") this.nv.setCustomLayout(FOUR);
    else this.nv.clearCustomLayout();
    this.nv.setSliceType(LAYOUTS[layout]);
    this.#tell("layout");
  }

  #moved(mm) {
    this.mm = mm;
    this.voxel = null;
    this.#tell("moved");
  }

  #tell(name, detail = undefined) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** A copy of what is shown, for tests. */
  state() {
    return {
      mm: this.mm && [...this.mm],
      hu: this.voxel?.hu ?? null,
      window: { ...this.window },
      layout: this.layout,
      level: this.scan ? this.level : null,
      box: this.box && [...this.box],
      visible: this.masks.visible(),
      highlighted: [...this.masks.highlighted],
      singles: this.masks.singles.map((one) => one.structure),
      slice: this.voxel?.file_slice ?? null,
    };
  }
}
