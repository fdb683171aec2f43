/** The code of a link, which stands behind `#`: browsers keep that to themselves. Empty where there is none, or it is damaged. */
export function codeInAddress(): string {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}
