/** A refusal's token: six letters and digits, in square brackets at the end of a reply. */
const alone = /^\[?[A-Z0-9]{6}\]?$/;

/** Whether a search text may be a token: a word of six letters also may, so an empty answer means to search. */
export function isToken(text: string): boolean {
  return alone.test(text.trim().toUpperCase());
}

/** Whether a pasted text is a whole bounce rather than something to search for. */
export function isBounce(text: string): boolean {
  return text.includes("\n") || /\[[A-Z0-9]{6}\]/.test(text.replace(/^\s*\[[A-Z0-9]{6}\]\s*$/, ""));
}
