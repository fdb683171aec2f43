/** What a browser calls itself, in two words: which one, and on what. What is not known is shown as it is. */
export function browserOf(userAgent: string | null | undefined): string {
  if (!userAgent) return "–";
  const find = (known: readonly (readonly [RegExp, string])[]) => {
    for (const [pattern, name] of known) {
      const found = pattern.exec(userAgent);
      if (found) return [name, found[1]].filter(Boolean).join(" ");
    }
    return null;
  };
  // Each pretends to be those that come after it.
  const browser = find([
    [/\bEdg(?:A|iOS)?\/(\d+)/, "Edge"],
    [/\bOPR\/(\d+)/, "Opera"],
    [/\b(?:Firefox|FxiOS)\/(\d+)/, "Firefox"],
    [/\b(?:Headless)?(?:Chrome|CriOS)\/(\d+)/, "Chrome"],
    [/\bVersion\/(\d+).*\bSafari\//, "Safari"],
    [/^curl\/(\d+)/, "curl"],
  ]);
  const system = find([
    [/\b(?:iPhone|iPad|iPod)\b/, "iOS"],
    [/\bAndroid\b/, "Android"],
    [/\bWindows\b/, "Windows"],
    [/\bMac OS X\b/, "macOS"],
    [/\bCrOS\b/, "ChromeOS"],
    [/\bLinux\b/, "Linux"],
  ]);
  return browser ? [browser, system].filter(Boolean).join(", ") : userAgent;
}
