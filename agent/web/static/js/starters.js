// First questions for a scan that nothing was asked about yet.

const MOST = 4;

/**
 * From what has a mask; the server's own suggestions come first where it makes some.
 * @param {any|null} scan
 * @param {import("./masks.js").MaskSet} masks
 * @returns {string[]}
 */
export function starters(scan, masks) {
  if (scan?.next?.length > 0) return scan.next.slice(0, MOST);
  const bySize = (kind) =>
    masks.structures.filter((one) => one.kind === kind).sort((one, other) => other.voxels - one.voxels);
  const [lesion] = masks.lesions.length > 0 ? bySize("lesion") : [];
  const [organ, second] = bySize("organ");
  const questions = [];
  if (lesion)
    questions.push(
      `What is the longest diameter of the largest ${lesion.name}?`,
      `Where is the largest ${lesion.name}?`,
    );
  if (organ) questions.push(`What is the volume of the ${organ.name}?`);
  if (second) questions.push(`What is the mean attenuation of the ${second.name}?`);
  return questions.slice(0, MOST);
}
