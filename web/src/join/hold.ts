/** Which page of this browser a call is up in. */

/** The page before a reload lets go as it ends: that may take a moment. */
const WAIT_MS = 1_000;

/** Held until the returned function is called, or the page is gone. Null: another page holds it. */
export async function hold(name: string): Promise<(() => void) | null> {
  // Browsers have locks on pages over HTTPS: elsewhere nothing is known of other pages.
  if (!navigator.locks) return () => undefined;
  const waiting = new AbortController();
  const timer = setTimeout(() => waiting.abort(), WAIT_MS);
  return new Promise((done) => {
    navigator.locks
      .request(name, { signal: waiting.signal }, () => {
        clearTimeout(timer);
        return new Promise<void>((release) => done(release));
      })
      .catch(() => done(null));
  });
}
