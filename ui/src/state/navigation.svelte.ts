/** Which pane is in view, with its tab where it has some, and which field of it is to be brought into view. */
import { tick } from "svelte";
import { paneOf, securityTabOf, type PaneId, type SecurityTab } from "../lib/paths";

class Navigation {
  pane = $state<PaneId>("overview");
  /** Which tab of the Security pane is in view, or was. */
  securityTab = $state<SecurityTab>("lists");
  /** A search the mail log should begin with, e.g. a token from the overview. */
  logSearch = $state<string | null>(null);

  open(pane: PaneId): void {
    this.pane = pane;
  }

  /** Opens the pane of a setting (or a pane by its name) and puts the focus on the setting's control. */
  async openSetting(path: string): Promise<void> {
    const pane = paneOf(path);
    if (pane === null) return;
    this.pane = pane;
    this.securityTab = securityTabOf(path) ?? this.securityTab;
    await tick();
    if (path.includes(".")) focusField(path);
  }

  openLog(search: string): void {
    this.logSearch = search;
    this.pane = "log";
  }
}

/** Focuses a field by its path, or inside an element of that id what is refused or else the first control. */
export function focusField(path: string): boolean {
  const found = document.getElementById(path);
  if (found === null) return false;
  const focusable = "input, select, textarea, button";
  const inside = (selector: string) => found.querySelector<HTMLElement>(selector);
  const control = found.matches(focusable) ? found : (inside('[aria-invalid="true"]') ?? inside(focusable));
  found.closest("details")?.setAttribute("open", "");
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  found.scrollIntoView({ block: "center", behavior: calm ? "auto" : "smooth" });
  (control ?? found).focus({ preventScroll: true });
  return true;
}

export const navigation = new Navigation();
