// What the scale of a graph of rates ends at, and the lines drawn in it.

/** The smallest of 1, 1.5 and 2 times a power of two that is at least `peak`, and at least 1 KiB/s. */
export function topOf(peak: number): number {
  const power = 2 ** Math.floor(Math.log2(Math.max(peak, 1024)));
  return [1, 1.5, 2].map((times) => times * power).find((top) => top >= peak) ?? 2 * power;
}

/** An SVG path through points at 0, 1, 2...; where there is none it is interrupted. `top` is at 0, and 0 at `height`. */
export function lineOf(points: readonly (number | null)[], top: number, height: number): string {
  let path = "";
  let drawing = false;
  points.forEach((point, at) => {
    if (point !== null) path += `${drawing ? "L" : "M"}${at} ${y(point, top, height)}`;
    drawing = point !== null;
  });
  return path;
}

/** The same, filled down to 0. */
export function areaOf(points: readonly (number | null)[], top: number, height: number): string {
  let path = "";
  let last = -1;
  points.forEach((point, at) => {
    if (point === null) {
      if (last >= 0) path += `L${last} ${height}Z`;
      last = -1;
      return;
    }
    path += last < 0 ? `M${at} ${height}L${at} ${y(point, top, height)}` : `L${at} ${y(point, top, height)}`;
    last = at;
  });
  return last < 0 ? path : `${path}L${last} ${height}Z`;
}

function y(point: number, top: number, height: number): string {
  return (height * (1 - Math.min(1, point / top))).toFixed(2);
}
