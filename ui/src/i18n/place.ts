/** Where mail goes, as people say it: `domain:xn--bcher-kva.example` is bücher.example. */
import { toUnicode } from "../lib/idn";
import { i18n } from "./i18n.svelte";

export function placeName(destination: string): string {
  const places: Record<string, string> = i18n.t.queue.places;
  const known = places[destination];
  if (known !== undefined) return known;
  return toUnicode(destination.replace(/^domain:/, ""));
}
