/** Numbers, sizes and times in the language and the zone of the person at the screen. */
import { i18n } from "../i18n/i18n.svelte";

const megabyte = 1_048_576;

export function formatNumber(value: number): string {
  return new Intl.NumberFormat(i18n.locale).format(value);
}

/** Bytes as KB or MB; 1 MB is 1,048,576 bytes, as in the limits. */
export function formatSize(bytes: number): string {
  const [value, unit, digits] =
    bytes >= megabyte / 10
      ? [bytes / megabyte, "MB", 1]
      : [Math.max(bytes > 0 ? 1 : 0, bytes / 1024), "KB", 0];
  const format = new Intl.NumberFormat(i18n.locale, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return `${format.format(value)}\u202f${unit}`;
}

/** The exact figure for hovering. */
export function formatBytes(bytes: number): string {
  const unit = i18n.language === "de" ? "Bytes" : "bytes";
  return `${formatNumber(bytes)} ${unit}`;
}

export function formatHour(ms: number): string {
  return new Intl.DateTimeFormat(i18n.locale, { timeStyle: "short" }).format(ms);
}

/** The time of day for today, with the date before it for any other day. */
export function formatTime(ms: number, now: number = Date.now()): string {
  const time = new Intl.DateTimeFormat(i18n.locale, { timeStyle: "medium" }).format(ms);
  return sameDay(ms, now) ? time : formatDay(ms);
}

/** The same without seconds. */
export function formatSince(ms: number, now: number = Date.now()): string {
  return sameDay(ms, now) ? formatHour(ms) : formatDay(ms);
}

function formatDay(ms: number): string {
  const date = new Intl.DateTimeFormat(i18n.locale, { day: "numeric", month: "short" }).format(ms);
  return `${date}, ${formatHour(ms)}`;
}

function sameDay(a: number, b: number): boolean {
  return new Date(a).toDateString() === new Date(b).toDateString();
}

/** Date, time and zone in full, for hovering. */
export function formatMoment(ms: number): string {
  return new Intl.DateTimeFormat(i18n.locale, { dateStyle: "full", timeStyle: "long" }).format(ms);
}
