// Bringing volumes from the server into the viewer: one scan (or a part of it) and the label maps on its grid.

import { NVImage } from "../vendor/niivue/niivue.js";
import { download } from "./api.js";

const PART = 200;

/** The query that asks for a level, and a part of it. */
export function query(level, box) {
  return box ? `level=${level}&box=${box.join(",")}` : `level=${level}`;
}

/**
 * The box of about 200³ full-resolution voxels around a point, within the scan.
 * @param {number[]} voxel the point in full-resolution voxels
 * @param {number[]} shape of the scan at full resolution
 * @returns {number[]} i0, i1, j0, j1, k0, k1, half open
 */
export function partAround(voxel, shape) {
  return shape.flatMap((size, axis) => {
    const length = Math.min(PART, size);
    const start = Math.min(Math.max(0, Math.round(voxel[axis] - length / 2)), size - length);
    return [start, start + length];
  });
}

/** Scan as an image of the viewer. */
export async function scanImage(path, { window, signal, progress }) {
  const bytes = await download(path, { signal, progress });
  const [low, high] = [window.level - window.width / 2, window.level + window.width / 2];
  return NVImage.new(bytes, "scan.nii.gz", "gray", 1, null, low, high);
}

/** Label map as an image of the viewer. */
export async function labelImage(path, { signal, progress } = {}) {
  const bytes = await download(path, { signal, progress });
  return NVImage.new(bytes, "labels.nii.gz", "gray", 1, null, 0, 1);
}
