// Server-sent events. The browser resumes a broken stream by itself, with the id of the last event it saw.

/**
 * Follow a stream until it is closed.
 * @param {string} path
 * @param {Object<string, (data: any) => void>} heard by name of event
 * @param {() => void} [lost] the server refused the stream, or it ended for good
 * @param {() => void} [away] the server does not answer now; the browser tries again
 * @returns {{close: () => void}}
 */
export function follow(path, heard, lost, away) {
  const source = new EventSource(path);
  for (const [name, tell] of Object.entries(heard)) {
    source.addEventListener(name, (event) => tell(JSON.parse(event.data)));
  }
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) lost?.();
    else away?.();
  });
  return { close: () => source.close() };
}
