/** Numbers, sizes and times in the language and the zone of the person at the screen. */
import { i18n } from "../i18n/i18n.svelte";

const megabyte = 1_048_576;

export function formatNumber(value: number): string {
  return numbers().format(value);
}

/** Making a formatter takes far longer than using it, and a long table uses it thousands of times. */
const made = new Map<string, unknown>();

function once<T>(kind: string, make: (locale: string) => T): T {
  const key = `${kind} ${i18n.locale}`;
  let known = made.get(key) as T | undefined;
  if (known === undefined) made.set(key, (known = make(i18n.locale)));
  return known;
}

function numbers(digits = 0): Intl.NumberFormat {
  const options = digits === 0 ? {} : { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return once(`number ${digits}`, (locale) => new Intl.NumberFormat(locale, options));
}

function times(kind: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  return once(`time ${kind}`, (locale) => new Intl.DateTimeFormat(locale, options));
}

/** Bytes as KB or MB; 1 MB is 1,048,576 bytes, as in the limits. */
export function formatSize(bytes: number): string {
  const [value, unit, digits] =
    bytes >= megabyte / 10
      ? [bytes / megabyte, "MB", 1]
      : [Math.max(bytes > 0 ? 1 : 0, bytes / 1024), "KB", 0];
  return `${numbers(digits).format(digits === 0 ? Math.round(value) : value)}\u202f${unit}`;
}

/** The exact figure for hovering. */
export function formatBytes(bytes: number): string {
  const unit = i18n.language === "de" ? "Bytes" : "bytes";
  return `${formatNumber(bytes)} ${unit}`;
}

export function formatHour(ms: number): string {
  return times("short", { timeStyle: "short" }).format(ms);
}

/** The time of day for today, with the date before it for any other day. */
export function formatTime(ms: number, now: number = Date.now()): string {
  const time = times("medium", { timeStyle: "medium" }).format(ms);
  return sameDay(ms, now) ? time : formatDay(ms);
}

/** The same without seconds. */
export function formatSince(ms: number, now: number = Date.now()): string {
  return sameDay(ms, now) ? formatHour(ms) : formatDay(ms);
}

/** A day with its year. */
export function formatDate(ms: number): string {
  return times("date", { dateStyle: "medium" }).format(ms);
}

function formatDay(ms: number): string {
  const date = times("day", { day: "numeric", month: "short" }).format(ms);
  return `${date}, ${formatHour(ms)}`;
}

function sameDay(a: number, b: number): boolean {
  return new Date(a).toDateString() === new Date(b).toDateString();
}

/** Date, time and zone in full, for hovering. */
export function formatMoment(ms: number): string {
  return times("full", { dateStyle: "full", timeStyle: "long" }).format(ms);
}

/** "in 12 minutes": whole units, the largest that fits; `null` when there is less than a minute left. */
export function formatIn(ms: number, now: number = Date.now()): string | null {
  const minutes = Math.round((ms - now) / 60_000);
  if (ms - now < 60_000) return null;
  const relative = once("relative", (locale) => new Intl.RelativeTimeFormat(locale, { numeric: "always" }));
  if (minutes < 120) return relative.format(minutes, "minute");
  if (minutes < 2880) return relative.format(Math.round(minutes / 60), "hour");
  return relative.format(Math.round(minutes / 1440), "day");
}
