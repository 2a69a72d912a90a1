/** Die Warteschlange, und was andere Bereiche über wartende Mail sagen. */
import type { queueEn } from "./queue.en";

const number = new Intl.NumberFormat("de");
const counted = (n: number, one: string, many: string) => `${number.format(n)} ${n === 1 ? one : many}`;
const recipients = (n: number) => `${number.format(n)} Empfänger`;
const toRecipients = (n: number) => counted(n, "Empfänger", "Empfängern");

export const queueDe: typeof queueEn = {
  lead: "Mail, die auf ihren nächsten Versuch wartet, und warum",
  search: "Adresse, Betreff, Kürzel oder Grund",
  state: "Zustand",
  table: "Wartende Mail",
  states: {
    all: "Alles Wartende",
    waiting: "Wartet",
    held: "Angehalten",
    sending: "Wird gesendet",
    returning: "Geht zurück",
  },
  state_words: { waiting: "wartet", held: "angehalten", sending: "wird gesendet", returning: "geht zurück" },
  from_to: "Von, an",
  from: "Von",
  to: "An",
  subject: "Betreff",
  since: "Wartet seit",
  next: "Nächster Versuch",
  waits_since: (time) => `seit ${time}`,
  reason: "Grund",
  no_subject: "(kein Betreff)",
  no_reason: "Noch nicht versucht.",
  null_sender: "<> (keine Rücksendeadresse)",
  attempts: (n) => (n === 0 ? "unversucht" : counted(n, "Versuch", "Versuche")),
  due: "jetzt",
  soon: "in weniger als einer Minute",
  no_more: "keiner",
  on_hold: "nach Freigabe",
  empty: "Nichts wartet",
  empty_text:
    "Alles, was dieser Server angenommen hat, ist zugestellt oder zurückgegeben. Hier erscheint Mail, die der nächste Server nicht gleich annehmen kann.",
  none_found: "Keine wartende Mail passt.",
  shown: (n, of) => `${number.format(n)} von ${toRecipients(of)} gezeigt`,
  total: (n) => (n === 1 ? "1 Empfänger wartet" : `${recipients(n)} warten`),
  more: "Mehr zeigen",
  mark: (recipient) => `${recipient} auswählen`,
  mark_all: "Alle gezeigten auswählen",
  marked: (n) => `${number.format(n)} ausgewählt`,
  mark_matching: (n) => `Alle ${number.format(n)} passenden auswählen`,
  unmark: "Auswahl aufheben",
  acts: {
    retry: "Jetzt versuchen",
    hold: "Anhalten",
    release: "Freigeben",
    return: "Zurückgeben",
    remove: "Löschen",
  },
  acts_label: "Mit dem Ausgewählten",
  did: {
    retry: (n) => (n === 1 ? "1 Empfänger wird jetzt versucht." : `${recipients(n)} werden jetzt versucht.`),
    hold: (n) => (n === 1 ? "1 Empfänger ist angehalten." : `${recipients(n)} sind angehalten.`),
    release: (n) =>
      n === 1
        ? "1 Empfänger ist freigegeben und wird jetzt versucht."
        : `${recipients(n)} sind freigegeben und werden jetzt versucht.`,
    return: (n) => `Mail an ${recipients(n)} geht an den Absender zurück.`,
    remove: (n) => `Mail an ${recipients(n)} ist gelöscht.`,
  },
  did_nothing: "Nichts wurde geändert: Diese Mail ist schon fort oder unterwegs.",
  ask: {
    return_title: (n) => (n === 1 ? "Diese Mail zurückgeben?" : `Mail an ${recipients(n)} zurückgeben?`),
    remove_title: (n) => (n === 1 ? "Diese Mail löschen?" : `Mail an ${recipients(n)} löschen?`),
    return_text: (n) =>
      `Bei ${toRecipients(n)} wird es nicht mehr versucht. Jeder Absender bekommt einen Bericht, dass die Mail nicht zugestellt wurde; Mail ohne Rücksendeadresse endet ohne Bericht.`,
    remove_text: (n) =>
      n === 1
        ? "1 Empfänger bekommt diese Mail nie, und niemand erfährt davon. Das lässt sich nicht rückgängig machen."
        : `${recipients(n)} bekommen diese Mail nie, und niemand erfährt davon. Das lässt sich nicht rückgängig machen.`,
    matching: "Das sind alle, die bisher passen. Mail, die später kommt, bleibt unberührt.",
    return_yes: (n) => (n === 1 ? "Zurückgeben" : `${number.format(n)} zurückgeben`),
    remove_yes: (n) => (n === 1 ? "Löschen" : `${number.format(n)} löschen`),
  },
  places: { mailbox: "Postfächer", relay: "Relay" },
  paused: "Pausierende Ziele",
  paused_help: "Beim letzten Versuch war es nicht zu erreichen; alle Mail dorthin wartet eine Weile.",
  paused_waiting: (n) => (n === 1 ? "1 wartet" : `${number.format(n)} warten`),
  paused_until: (time) => `bis ${time}`,
  show_destination: (place) => `Nur ${place} zeigen`,
  retry_destination: (place) => `Jetzt versuchen: ${place}`,
  only: (place) => `Nur ${place}`,
  show_all: "Alle zeigen",
  detail: {
    destination: "Ziel",
    expires: "Geht zurück, wenn nicht zugestellt bis",
    size: "Größe",
    token: "Kürzel",
    attempts: "Versuche",
    headers: "Kopf der Nachricht",
    open_log: "Im Mailprotokoll öffnen",
    left: "Diese Mail hat die Warteschlange verlassen. Wie es ausging, steht im Mailprotokoll.",
    close: "Schließen",
  },
  history: {
    last: "Zustellungen",
    title: "Zustellungen der Reihe nach",
    none: "Noch wurde nichts versucht.",
    outcomes: { delivered: "zugestellt", deferred: "verschoben", failed: "misslungen", removed: "entfernt" },
    to: (recipient) => `an ${recipient}`,
    by: (hop) => `bei ${hop}`,
  },
  overview: {
    title: "In der Warteschlange",
    none: "nichts wartet",
    oldest: (time) => `älteste seit ${time}`,
    held: (n) => `${number.format(n)} angehalten`,
    paused: (n) => (n === 1 ? "1 Ziel pausiert" : `${number.format(n)} Ziele pausieren`),
    badge: (n) => (n === 1 ? "1 Empfänger wartet" : `${recipients(n)} warten`),
    paused_one: (place) => `Ein Ziel pausiert: ${place}.`,
    paused_many: (n, least) => `${least ? "Mindestens " : ""}${number.format(n)} Ziele pausieren.`,
    paused_help: (n) =>
      n === 1
        ? "Es war beim letzten Versuch nicht zu erreichen. Mail dorthin wird von selbst wieder versucht; in der Warteschlange können Sie es jetzt versuchen."
        : "Sie waren beim letzten Versuch nicht zu erreichen. Mail dorthin wird von selbst wieder versucht; in der Warteschlange steht warum, und dort können Sie es jetzt versuchen.",
  },
  age: (minutes) =>
    minutes < 1
      ? "unter einer Minute"
      : minutes < 120
        ? `${number.format(minutes)} Min.`
        : minutes < 2880
          ? `${number.format(Math.floor(minutes / 60))} Std.`
          : counted(Math.floor(minutes / 1440), "Tag", "Tage"),
};
