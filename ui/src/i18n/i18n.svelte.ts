/** Which language the window speaks: the system's, unless the person chose another. */
import { de } from "./de";
import { en, type Catalogue } from "./en";

export type Language = "en" | "de";
export type Choice = Language | "system";

const catalogues: Record<Language, Catalogue> = { en, de };
const storageKey = "postroom.language";

function stored(): Choice {
  const value = localStorage.getItem(storageKey);
  return value === "en" || value === "de" ? value : "system";
}

export function systemLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const language = tag.toLowerCase().split("-")[0];
    if (language === "en" || language === "de") return language;
  }
  return "en";
}

class Speech {
  choice = $state<Choice>(stored());
  readonly language = $derived<Language>(
    this.choice === "system" ? systemLanguage(navigator.languages) : this.choice,
  );
  /** The catalogue in force. */
  readonly t = $derived<Catalogue>(catalogues[this.language]);
  /** For `Intl`: the system's region where it has the same language, so that 24-hour clocks stay. */
  readonly locale = $derived<string>(
    navigator.languages.find((tag) => tag.toLowerCase().startsWith(this.language)) ?? this.language,
  );

  choose(choice: Choice): void {
    this.choice = choice;
    if (choice === "system") localStorage.removeItem(storageKey);
    else localStorage.setItem(storageKey, choice);
  }
}

export const i18n = new Speech();
