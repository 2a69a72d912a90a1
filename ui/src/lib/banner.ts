/**
 * The greeting as a client sees it. The host name comes first (RFC 5321 §4.2) and is put in front when the
 * text does not begin with it; the word ESMTP is appended when it is missing.
 */
export function greeting(hostname: string, banner: string): string {
  const name = hostname.trim();
  const text = banner.trim();
  const first = text.split(/\s/, 1)[0] ?? "";
  const named = first.toLowerCase() === name.toLowerCase() ? text : `${name} ${text}`.trim();
  const complete = /\bESMTP\b/i.test(named) ? named : `${named} ESMTP`;
  return `220 ${complete}`;
}

/** Base64 and line breaks make an attachment 37 % larger; this is what is left of a limit, in whole MB. */
export function attachmentRoom(limitMb: number): number {
  return Math.max(0, Math.floor(limitMb / 1.37));
}
