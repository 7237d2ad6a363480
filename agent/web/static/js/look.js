// How the viewer looks and which mouse button does what: values for the viewer library.

import { DRAG_MODE, SLICE_TYPE } from "../vendor/niivue/niivue.js";

/** Planes by name. */
export const LAYOUTS = {
  multi: SLICE_TYPE.MULTIPLANAR,
  axial: SLICE_TYPE.AXIAL,
  coronal: SLICE_TYPE.CORONAL,
  sagittal: SLICE_TYPE.SAGITTAL,
  render: SLICE_TYPE.RENDER,
};
/** Three planes and 3D, each a quarter. */
export const FOUR = [
  { sliceType: SLICE_TYPE.AXIAL, position: [0, 0, 0.5, 0.5] },
  { sliceType: SLICE_TYPE.RENDER, position: [0.5, 0, 0.5, 0.5] },
  { sliceType: SLICE_TYPE.CORONAL, position: [0, 0.5, 0.5, 0.5] },
  { sliceType: SLICE_TYPE.SAGITTAL, position: [0.5, 0.5, 0.5, 0.5] },
];
/** Options of the viewer library. */
export const OPTIONS = {
  isRadiologicalConvention: true,
  dragAndDropEnabled: false,
  backColor: [0.027, 0.035, 0.047, 1],
  crosshairColor: [0.35, 0.85, 0.68, 0.9],
  crosshairWidth: 0.6,
  crosshairWidthUnit: "mm",
  crosshairGap: 6,
  fontColor: [0.78, 0.83, 0.89, 1],
  fontSizeScaling: 0.34,
  showAllOrientationMarkers: true,
  loadingText: "",
  logLevel: "error",
  show3Dcrosshair: true,
};

/** Left moves the crosshair, with Shift the image; right sets the window. */
export const MOUSE = {
  leftButton: { primary: DRAG_MODE.crosshair, withShift: DRAG_MODE.pan, withCtrl: DRAG_MODE.windowing },
  rightButton: DRAG_MODE.windowing,
  centerButton: DRAG_MODE.pan,
};

// Pixels of the page.
const THIN = 1.3;

/**
 * The crosshair is a solid of the scan's space: where the image is small it would be thinner than a pixel, and vanish;
 * where it is magnified, it would hide what it points at. Whether it has to be drawn again.
 */
export function visibleCrosshair(nv) {
  const coarsest = Math.max(
    0,
    ...nv.screenSlices
      .filter((tile) => tile.axCorSag < SLICE_TYPE.RENDER)
      .map((tile) => Math.abs(tile.fovMM[0] / tile.leftTopWidthHeight[2])),
  );
  const width = coarsest * THIN * (nv.uiData.dpr || 1);
  if (!Number.isFinite(width) || width <= 0 || Math.abs(width - nv.opts.crosshairWidth) < 0.05 * width) return false;
  nv.opts.crosshairWidth = width;
  // The library makes the solid anew only where it stands elsewhere.
  if (nv.crosshairs3D) nv.crosshairs3D.mm = [Number.NaN, 0, 0];
  return true;
}
