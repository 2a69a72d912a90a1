/** What a retry schedule amounts to. */

/** How many attempts are made before the mail goes back, the first one included. */
export function attemptsUntil(schedule: readonly number[], giveUpHours: number): number {
  const last = schedule.at(-1);
  if (last === undefined || last <= 0) return 1;
  let left = giveUpHours * 60;
  let attempts = 1;
  for (const minutes of schedule) {
    if (minutes > left) return attempts;
    left -= minutes;
    attempts++;
  }
  return attempts + Math.floor(left / last);
}

/** The waits that are used once, and the one that is used again and again. */
export function parts(schedule: readonly number[]): { once: number[]; again: number | null } {
  const again = schedule.at(-1) ?? null;
  let once = schedule.slice(0, -1);
  // A wait equal to the one that follows for ever belongs to it.
  while (once.length > 0 && once.at(-1) === again) once = once.slice(0, -1);
  return { once, again };
}
