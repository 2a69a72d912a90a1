/** The geometry of the 24-hour chart. */
import type { Hour } from "../../lib/types";

export type Plot = { left: number; right: number; top: number; bottom: number };
export type Bar = {
  hour: Hour;
  slotX: number;
  slotWidth: number;
  x: number;
  width: number;
  acceptedY: number;
  acceptedHeight: number;
  refusedY: number;
  refusedHeight: number;
};

/** The least of 2, 4, 10, 20, 40, 100 … that the highest bar fits under, so that the half is whole too. */
export function niceTop(highest: number): number {
  for (let power = 1; ; power *= 10) {
    for (const step of [2, 4, 10]) if (step * power >= highest) return step * power;
  }
}

/** Refused messages stand on top of the accepted ones, with a hair between them. */
export function bars(hours: Hour[], top: number, plot: Plot): Bar[] {
  const slotWidth = (plot.right - plot.left) / Math.max(1, hours.length);
  const width = Math.min(22, slotWidth * 0.62);
  const scale = (plot.bottom - plot.top) / top;
  return hours.map((hour, index) => {
    const slotX = plot.left + index * slotWidth;
    const acceptedHeight = hour.accepted * scale;
    const gap = hour.accepted > 0 && hour.refused > 0 ? 1.5 : 0;
    const refusedHeight = hour.refused === 0 ? 0 : Math.max(1.5, hour.refused * scale - gap);
    const acceptedY = plot.bottom - acceptedHeight;
    return {
      hour,
      slotX,
      slotWidth,
      x: slotX + (slotWidth - width) / 2,
      width,
      acceptedY,
      acceptedHeight,
      refusedY: acceptedY - gap - refusedHeight,
      refusedHeight,
    };
  });
}
