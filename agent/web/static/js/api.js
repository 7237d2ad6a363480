// The server's HTTP interface: requests, downloads and uploads that tell how far they are, and its errors.

/** What the server refused, in its own sentence. */
export class ApiError extends Error {
  /**
   * @param {string} code
   * @param {string} message one sentence: what, where, how to mend
   * @param {number} status of HTTP; 0 where no answer came
   * @param {Object<string, string>|null} series of a folder that holds several, by UID
   */
  constructor(code, message, status = 0, series = null) {
    super(message);
    this.code = code;
    this.status = status;
    this.series = series;
  }
}

/** Heard when the server asks for the token again. */
export const session = new EventTarget();

const AWAY = "The server does not answer; check that “tumortrace serve” still runs, then try again.";

function refusal(status, body) {
  const error = body?.error;
  if (status === 401) session.dispatchEvent(new Event("lost"));
  if (error?.message) return new ApiError(error.code, error.message, status, error.series ?? null);
  return new ApiError("unknown", `The server answered with status ${status}, and without a reason.`, status);
}

async function send(method, path, { body, signal, headers } = {}) {
  let response;
  try {
    response = await fetch(path, { method, body, signal, headers, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("away", AWAY);
  }
  if (response.ok) return response;
  throw refusal(response.status, await response.json().catch(() => null));
}

/** JSON from the server. */
export async function get(path, signal) {
  return (await send("GET", path, { signal })).json();
}

/** Send JSON; the answer, or null where there is none. */
export async function post(path, value = null, signal) {
  const body = value === null ? undefined : JSON.stringify(value);
  const response = await send("POST", path, {
    body,
    signal,
    headers: body ? { "Content-Type": "application/json" } : {},
  });
  return response.status === 204 ? null : response.json();
}

/** Forget something on the server. */
export async function remove(path) {
  await send("DELETE", path);
}

/**
 * The bytes of a file on the server.
 * @param {string} path
 * @param {{signal?: AbortSignal, progress?: (received: number, total: number|null) => void}} [options]
 * @returns {Promise<ArrayBuffer>}
 */
export function download(path, { signal, progress } = {}) {
  return transfer("GET", path, null, { signal, received: progress });
}

/**
 * Send a file.
 * @param {File} file
 * @param {{signal: AbortSignal, progress: (sent: number, total: number|null) => void}} options
 * @returns {Promise<any>} the source that it has become
 */
export async function upload(file, { signal, progress }) {
  const path = `/api/uploads?name=${encodeURIComponent(file.name)}`;
  const told = decoded(await transfer("POST", path, file, { signal, sent: progress }));
  return told.source ?? told;
}

/** Fetch cannot tell how much has gone or come, so files go by an older kind of request. */
function transfer(method, path, body, { signal, sent, received }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, path);
    request.responseType = "arraybuffer";
    if (body) request.setRequestHeader("Content-Type", "application/octet-stream");
    const heard = (tell) => (event) => tell?.(event.loaded, event.lengthComputable ? event.total : null);
    request.upload.addEventListener("progress", heard(sent));
    request.addEventListener("progress", heard(received));
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) resolve(request.response);
      else reject(refusal(request.status, decoded(request.response)));
    });
    request.addEventListener("error", () => reject(new ApiError("away", AWAY)));
    request.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError")));
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(body);
  });
}

function decoded(bytes) {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}
