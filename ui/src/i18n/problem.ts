/** A refused value in words: by its code where the catalogue has it, else as the program said it. */
import type { Problem } from "../lib/types";
import { i18n } from "./i18n.svelte";

type Args = Record<string, string>;

const german: Record<string, (args: Args) => string> = {
  out_of_range: (a) => `${a.value} geht hier nicht; erlaubt ist ${a.min} bis ${a.max}.`,
  not_fqdn: (a) =>
    `„${a.value}“ hat keinen Punkt; schreiben Sie den vollen Namen, etwa ${a.value}.example.com.`,
  local_name: (a) =>
    `„${a.value}“ meint nur diesen Rechner; andere Server brauchen einen Namen, den das DNS kennt.`,
  duplicate: (a) => `„${a.value}“ ist schon vorhanden.`,
  taken: (a) => `„${a.value}“ ist schon vergeben.`,
  upper_case: (a) => `Bitte klein schreiben: ${(a.value ?? "").toLowerCase()}.`,
  too_many: (a) => `Höchstens ${a.max} Einträge sind erlaubt.`,
  too_long: (a) => `Zu lang: ${a.value} Zeichen, erlaubt sind ${a.max}.`,
  not_printable: (a) => `Nur druckbare ASCII-Zeichen sind erlaubt; ${a.value} ist keines.`,
  not_absolute: (a) => `„${a.value}“ ist kein voller Pfad; er muss mit / beginnen.`,
  no_such_user: (a) => `Es gibt keinen Benutzer „${a.value}“.`,
  bad_display_name: () => "Der volle Name ist zu lang oder enthält einen Zeilenumbruch.",
  not_a_server: () => "Das ist keine Adresse eines DNS-Servers; schreiben Sie etwa 192.0.2.53:53.",
};

/** The program's sentence with a capital and a full stop, as the window writes. */
function sentence(message: string): string {
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

export function problemText(problem: Problem): string {
  const words = i18n.language === "de" ? german[problem.code] : undefined;
  return words ? words(problem.args) : sentence(problem.message);
}
