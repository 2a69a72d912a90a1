/** What a setting path is called where people read it. */
import { isSettingPath, paneOf, securityTabOf } from "../lib/paths";
import { i18n } from "./i18n.svelte";

/** The setting a problem's path belongs to: `general.additional_domains[1]` is one of `general.additional_domains`. */
export function settingOf(path: string): string {
  if (isSettingPath(path)) return path;
  const listed = path.replace(/\[.*$/, "");
  if (isSettingPath(listed)) return listed;
  const parent = listed.replace(/\.[^.]*$/, "");
  return isSettingPath(parent) ? parent : path;
}

/** The field's label, or the pane's name for what is no field (`users`), or the path itself. */
export function labelOf(path: string): string {
  const setting = settingOf(path);
  if (isSettingPath(setting)) return i18n.t.fields[setting].label;
  // Applied with the settings, but none of them.
  if (path === "delivery.relay_password") return i18n.t.delivery.password;
  const tab = securityTabOf(path);
  if (tab !== null) return i18n.t.security.tabs[tab];
  const pane = paneOf(path);
  return pane === null ? path : i18n.t.panes[pane];
}

/** A check by its name in the trace. */
export function checkName(check: string): string {
  const known = i18n.t.checks[check];
  if (known !== undefined) return known;
  const text = check.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
