// Opening a scan on the server and waiting until it is ready.

import { get, post } from "./api.js";
import { follow } from "./events.js";

const SETTLED = new Set(["ready", "failed"]);

/**
 * Wait for a scan; one that was closed is opened again.
 * @param {any} scan
 * @param {(scan: any) => void} told of each change
 * @param {AbortSignal} signal
 * @returns {Promise<any>} the scan, ready or failed
 */
export async function ready(scan, told, signal) {
  let now = scan;
  if (now.state === "closed" || now.state === "failed") now = await post(`/api/scans/${now.id}/open`, null, signal);
  told(now);
  if (SETTLED.has(now.state)) return now;
  return new Promise((resolve, reject) => {
    const stream = follow(
      `/api/scans/${now.id}/events`,
      {
        scan: (next) => {
          told(next);
          if (!SETTLED.has(next.state)) return;
          stream.close();
          resolve(next);
        },
      },
      () => get(`/api/scans/${now.id}`).then(resolve, reject),
    );
    signal.addEventListener("abort", () => {
      stream.close();
      reject(new DOMException("left", "AbortError"));
    });
  });
}
