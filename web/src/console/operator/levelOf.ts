/** How serious a line of the log is, for how it looks: as text, or in JSON. */
export function levelOf(line: string): "error" | "warning" | "plain" {
  const level = /^\S+\s+(ERROR|WARN)\s/.exec(line)?.[1] ?? /"level":"(ERROR|WARN)"/.exec(line)?.[1];
  return level === "ERROR" ? "error" : level === "WARN" ? "warning" : "plain";
}
