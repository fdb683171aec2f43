/** The members of an object, by their names with dots between, as the configuration has them. What is not set is a dash. */
export function flatten(value: unknown, under = ""): [name: string, value: string][] {
  if (value && typeof value === "object" && !Array.isArray(value)) {
    return Object.entries(value).flatMap(([key, inner]) => flatten(inner, under ? `${under}.${key}` : key));
  }
  if (!under) return [];
  const isUnset =
    value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length);
  return [[under, isUnset ? "–" : typeof value === "string" ? value : JSON.stringify(value)]];
}
