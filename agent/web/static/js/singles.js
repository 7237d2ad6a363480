// The voxels of single lesions: the label maps hold their whole class, and the evidence brings which of them are meant.

/**
 * @typedef {{structure: string, step: number, first: number[], shape: number[], runs: number[]}} Single
 *   blocks of `step` full-resolution voxels, in runs alternately outside and inside, first axis fastest
 */

/**
 * Every voxel of an image that a single lesion reaches, by its index; a voxel may be told more than once.
 * @param {Single} single
 * @param {{start: number[], factor: number[], size: number[]}} grid of the image: the full-resolution voxel that it
 *   begins at, full-resolution voxels in one of its own, its voxels along each axis
 * @param {(index: number) => void} tell
 */
export function eachVoxel({ step, first, shape, runs }, { start, factor, size }, tell) {
  const [reachI, reachJ, reachK] = [0, 1, 2].map((axis) => {
    // Of every block, the image's voxels that it touches, within the image.
    const whole = Math.floor(start[axis] / factor[axis]);
    return Array.from({ length: shape[axis] }, (_, at) => {
      const from = (first[axis] + at) * step;
      const low = Math.floor(from / factor[axis]) - whole;
      const high = Math.floor((from + step - 1) / factor[axis]) - whole;
      return [Math.max(0, low), Math.min(size[axis] - 1, high)];
    });
  });
  const [wide, high] = shape;
  let at = 0;
  runs.forEach((length, number) => {
    if (number % 2 === 1) {
      for (let block = at; block < at + length; block++) {
        const [i, j, k] = [block % wide, Math.floor(block / wide) % high, Math.floor(block / (wide * high))];
        for (let z = reachK[k][0]; z <= reachK[k][1]; z++) {
          for (let y = reachJ[j][0]; y <= reachJ[j][1]; y++) {
            for (let x = reachI[i][0]; x <= reachI[i][1]; x++) tell(x + size[0] * (y + size[1] * z));
          }
        }
      }
    }
    at += length;
  });
}
