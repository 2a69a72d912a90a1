/** Domain names for people (U-labels) and for machines (A-labels). */

const base = 36;
const damp = 700;
const skew = 38;
const tMin = 1;
const tMax = 26;

function adapt(delta: number, count: number, first: boolean): number {
  let rest = first ? Math.floor(delta / damp) : delta >> 1;
  rest += Math.floor(rest / count);
  let k = 0;
  for (; rest > ((base - tMin) * tMax) >> 1; k += base) rest = Math.floor(rest / (base - tMin));
  return k + Math.floor(((base - tMin + 1) * rest) / (rest + skew));
}

function digit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30 + 26;
  if (code >= 0x61 && code <= 0x7a) return code - 0x61;
  return base;
}

/** Decodes the part after `xn--`; `null` when it is not valid. RFC 3492 §6.2. */
function decodePunycode(text: string): string | null {
  const cut = text.lastIndexOf("-");
  const output = cut > 0 ? Array.from(text.slice(0, cut), (c) => c.charCodeAt(0)) : [];
  let n = 128;
  let bias = 72;
  let i = 0;
  for (let at = cut > 0 ? cut + 1 : 0; at < text.length;) {
    const before = i;
    for (let weight = 1, k = base; ; k += base) {
      if (at >= text.length) return null;
      const value = digit(text.charCodeAt(at++));
      if (value >= base) return null;
      i += value * weight;
      const threshold = k <= bias ? tMin : k >= bias + tMax ? tMax : k - bias;
      if (value < threshold) break;
      weight *= base - threshold;
      if (weight > 0x7fffffff || i > 0x7fffffff) return null;
    }
    const count = output.length + 1;
    bias = adapt(i - before, count, before === 0);
    n += Math.floor(i / count);
    i %= count;
    if (n > 0x10ffff) return null;
    output.splice(i++, 0, n);
  }
  return String.fromCodePoint(...output);
}

/** The readable form: `xn--bcher-kva.example` becomes `bücher.example`. */
export function toUnicode(domain: string): string {
  return domain
    .split(".")
    .map((label) => {
      const lower = label.toLowerCase();
      return lower.startsWith("xn--") ? decodePunycode(lower.slice(4)) || label : label;
    })
    .join(".");
}

/** The form of the wire, by the engine's own UTS #46 tables; the text itself when it is no domain. */
export function toAscii(domain: string): string {
  if (!/[^\0-\x7f]/.test(domain)) return domain;
  try {
    return new URL(`http://${domain}/`).hostname;
  } catch {
    return domain;
  }
}

/** An address without the angle brackets of the protocol; empty for the null reverse-path. */
export function bare(path: string): string {
  return path.startsWith("<") && path.endsWith(">") ? path.slice(1, -1) : path;
}

/** An address or a domain to show, and what to say on hover (`null` when both forms are the same). */
export function forDisplay(path: string): { text: string; title: string | null } {
  const address = bare(path);
  const at = address.lastIndexOf("@");
  const local = address.slice(0, at + 1);
  const domain = address.slice(at + 1);
  const text = local + toUnicode(domain);
  const wire = local + toAscii(toUnicode(domain));
  return { text, title: text === wire ? null : wire };
}
