/** The members of an object, by their names with dots between, as the configuration has them. */
export function flatten(value: unknown, under = ""): [name: string, value: string][] {
  if (value && typeof value === "object" && !Array.isArray(value)) {
    return Object.entries(value).flatMap(([key, inner]) => flatten(inner, under ? `${under}.${key}` : key));
  }
  return under ? [[under, typeof value === "string" ? value : JSON.stringify(value ?? null)]] : [];
}
