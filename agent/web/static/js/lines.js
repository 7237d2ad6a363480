// Measured lines over the image: drawn on the slices in which they lie, in every plane that is shown.

import { fill, svg } from "./dom.js";

const RENDER = 3;
// Which axes of the display run across, up and through each plane: axial, coronal, sagittal.
const AXES = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 2, 0],
];

/** The lines of one piece of evidence, and the box around what it measured. */
export class Lines {
  /** @param {any} nv the viewer library @param {SVGElement} overlay */
  constructor(nv, overlay) {
    this.nv = nv;
    this.overlay = overlay;
    this.lines = [];
    this.box = null;
  }

  /**
   * @param {{from: number[], to: number[], label: string}[]} lines end points in mm, RAS
   * @param {number[][]|null} box lowest and highest corner in mm, RAS
   */
  set(lines, box) {
    this.lines = lines;
    this.box = box;
    this.draw();
  }

  /** Put the lines where the image is now. */
  draw() {
    const { nv, overlay } = this;
    if (this.lines.length === 0 && !this.box) {
      if (overlay.childNodes.length > 0) overlay.replaceChildren();
      return;
    }
    const ratio = nv.uiData?.dpr || 1;
    const tiles = nv.volumes.length > 0 ? (nv.screenSlices ?? []).filter((tile) => tile.axCorSag < RENDER) : [];
    fill(
      overlay,
      tiles.map((tile) => {
        const pane = new Pane(nv, tile, ratio);
        return [this.box && pane.frame(this.box), this.lines.map((line) => pane.line(line))];
      }),
    );
  }
}

/** One plane on the canvas: from millimetres to pixels of the page. */
class Pane {
  constructor(nv, tile, ratio) {
    this.nv = nv;
    this.tile = tile;
    this.ratio = ratio;
    this.axes = AXES[tile.axCorSag];
    const [, , through] = this.axes;
    this.slice = nv.frac2mm(nv.scene.crosshairPos)[through];
    this.half = nv.volumes[0].pixDimsRAS[through + 1] / 2;
  }

  /** Across and down on the page, and how far from the slice in mm. */
  at(mm) {
    const { nv, tile, axes } = this;
    const shown = nv.frac2mm(nv.mm2frac(mm, 0, true));
    const [across, up, through] = axes.map((axis) => shown[axis]);
    let [left, top, width, height] = tile.leftTopWidthHeight;
    let part = (across - tile.leftTopMM[0]) / tile.fovMM[0];
    if (width < 0) {
      left += width;
      width = -width;
      part = 1 - part;
    }
    const rest = 1 - (up - tile.leftTopMM[1]) / tile.fovMM[1];
    return [(left + part * width) / this.ratio, (top + rest * height) / this.ratio, Math.abs(through - this.slice)];
  }

  line({ from, to, label }) {
    const [a, b] = [this.at(from), this.at(to)];
    // Half a slice to either side belongs to the slice; a little more is rounding.
    if (Math.max(a[2], b[2]) > this.half * 1.02 || !this.#inside(a) || !this.#inside(b)) return null;
    const ends = { x1: a[0], y1: a[1], x2: b[0], y2: b[1] };
    const [x, y] = a[0] > b[0] ? a : b;
    return svg(
      "g",
      { class: "measure", data: { testid: "measure-line" } },
      svg("line", { ...ends, class: "measure-edge" }),
      svg("line", ends),
      svg("circle", { cx: a[0], cy: a[1], r: 3 }),
      svg("circle", { cx: b[0], cy: b[1], r: 3 }),
      svg("text", { x: x + 7, y: y + 4 }, label),
    );
  }

  frame([low, high]) {
    const corners = [0, 1, 2, 3, 4, 5, 6, 7].map((at) =>
      low.map((value, axis) => ((at >> axis) & 1 ? high[axis] : value)),
    );
    const [, , through] = this.axes;
    const depths = corners.map((corner) => this.nv.frac2mm(this.nv.mm2frac(corner, 0, true))[through]);
    if (this.slice < Math.min(...depths) - this.half || this.slice > Math.max(...depths) + this.half) return null;
    const points = corners.map((corner) => this.at(corner));
    const [xs, ys] = [points.map((point) => point[0]), points.map((point) => point[1])];
    const [left, top] = [Math.min(...xs) - 5, Math.min(...ys) - 5];
    const [width, height] = [Math.max(...xs) + 5 - left, Math.max(...ys) + 5 - top];
    if (!this.#inside([left, top]) || !this.#inside([left + width, top + height])) return null;
    return svg("rect", { x: left, y: top, width, height, rx: 4, class: "measure-box" });
  }

  #inside([x, y]) {
    let [left, top, width, height] = this.tile.leftTopWidthHeight.map((value) => value / this.ratio);
    if (width < 0) {
      left += width;
      width = -width;
    }
    return x >= left && x <= left + width && y >= top && y <= top + height;
  }
}
