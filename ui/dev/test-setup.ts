/** What jsdom lacks and the window uses. */
import { afterEach } from "vitest";
import { cleanup, configure } from "@testing-library/svelte";

afterEach(cleanup);

// A failure says what was expected; the whole document after it helps nobody.
configure({ asyncUtilTimeout: 5000, getElementError: (message) => new Error(message ?? "not found") });

HTMLElement.prototype.scrollIntoView ??= () => undefined;
HTMLElement.prototype.scrollTo ??= () => undefined;
window.matchMedia ??= (query: string) =>
  ({ matches: query.includes("reduce"), media: query }) as unknown as MediaQueryList;

class NoResizeObserver implements ResizeObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}
window.ResizeObserver ??= NoResizeObserver;

HTMLDialogElement.prototype.showModal ??= function (this: HTMLDialogElement) {
  this.open = true;
};
