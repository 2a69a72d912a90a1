/**
 * What ails a server that runs, by its code: what happened, what it means, and what to do. None of it is mended at a
 * setting.
 */
import type { Problem } from "../lib/types";
import { i18n, type Language } from "./i18n.svelte";

type Args = Record<string, string | undefined>;
type Words = { message: string; action: string };
/** `detail` is what the program itself said, where it tells more. */
export type Trouble = Words & { detail: string | null };

/** Why mail cannot be stored, and where; the place may be unknown. */
type Storing = { cause: "full" | "unwritable" | "busy"; place: string; behind: boolean };

export const troubles: Record<Language, Record<string, (args: Args) => Words>> = {
  en: {
    storage_failing: (args) => {
      const { cause, place, behind } = storing(args);
      const why = {
        full: "the disk is full",
        unwritable: place === "" ? "the disk cannot be written" : `${place} cannot be written`,
        busy: "its database is busy",
      };
      const mend = {
        full: place === "" ? "Make room on the disk." : `Make room on the disk of ${place}.`,
        unwritable:
          "See that it is there, that it belongs to the user who runs Postroom, and that its disk can be written.",
        busy: "If another program holds it, such as a backup, end that. Else more mail comes than the disk can take, and it passes by itself.",
      };
      const safe = behind ? " Mail that was accepted but does not show yet is safe and follows." : "";
      return {
        message: `New mail is put off: ${why[cause]}.`,
        action: `${mend[cause]} Nothing accepted is lost, senders try again, and Postroom takes mail again by itself as soon as it can.${safe}`,
      };
    },
    queue_behind: () => ({
      message:
        "New mail is put off: the database cannot take what was accepted before. That mail is safe, but not all of it shows yet.",
      action:
        "Some of it may have been delivered already; the rest follows by itself, senders try again, and Postroom then takes mail again. If this stays so, see whether another program holds the database, or its disk is full.",
    }),
    spool_set_aside: ({ folder }) => ({
      message:
        folder === undefined
          ? "Mail that this database knows nothing of was put aside and is not delivered."
          : `Mail that this database knows nothing of was put aside in ${folder} and is not delivered.`,
      action:
        "Stop Postroom and put back the database that it belongs to, with that folder under the name spool. Then the mail is sent. If nobody needs that mail, remove the folder; this notice goes with the next start.",
    }),
    spool_refused: ({ count, folder }) => ({
      message:
        count === "1"
          ? "The database refused an accepted message, and it is not in the queue: recipients to whom it was sent at once may have it, the others do not."
          : `The database refused ${count ?? "some"} accepted messages, and they are not in the queue: recipients to whom they were sent at once may have them, the others do not.`,
      action: `${count === "1" ? "It lies" : "They lie"} in ${folder ?? "the spool folder"}: refused-….eml is the message, the .json beside it names sender, recipients and the reason. Send it on by hand, then remove both files. All other mail goes on. Please report this as a defect.`,
    }),
    spool_damaged: ({ places }) => ({
      message:
        places === undefined
          ? "Part of the spool cannot be read: mail accepted shortly before the last stop may be lost."
          : places === "1"
            ? "One place in the spool cannot be read: mail accepted shortly before the last stop may be lost."
            : `${places} places in the spool cannot be read: mail accepted shortly before the last stop may be lost.`,
      action: "All that could be read is in the queue. Check the disk before it loses more.",
    }),
  },
  de: {
    storage_failing: (args) => {
      const { cause, place, behind } = storing(args);
      const why = {
        full: "Die Platte ist voll",
        unwritable:
          place === "" ? "Auf die Platte kann nicht geschrieben werden" : `${place} ist nicht beschreibbar`,
        busy: "Die Datenbank ist beschäftigt",
      };
      const mend = {
        full: place === "" ? "Schaffen Sie Platz." : `Schaffen Sie Platz auf der Platte von ${place}.`,
        unwritable:
          "Sehen Sie nach, ob es da ist, dem Benutzer gehört, unter dem Postroom läuft, und ob die Platte beschreibbar ist.",
        busy: "Hält ein anderes Programm sie fest, etwa eine Sicherung, beenden Sie es. Sonst kommt mehr Mail, als die Platte schafft; das geht vorüber.",
      };
      const safe = behind
        ? " Auch angenommene Mail, die noch nicht zu sehen ist, ist sicher und folgt nach."
        : "";
      return {
        message: `Neue Mail wird aufgeschoben: ${why[cause]}.`,
        action: `${mend[cause]} Nichts Angenommenes geht verloren, Absender versuchen es wieder, und sobald es geht, nimmt Postroom von selbst wieder Mail an.${safe}`,
      };
    },
    queue_behind: () => ({
      message:
        "Neue Mail wird aufgeschoben: Die Datenbank kann schon angenommene nicht aufnehmen. Diese ist sicher, aber noch nicht ganz zu sehen.",
      action:
        "Manches davon kann schon zugestellt sein; der Rest folgt von selbst, Absender versuchen es wieder, und Postroom nimmt dann wieder Mail an. Bleibt es dabei, sehen Sie nach, ob ein anderes Programm die Datenbank festhält oder ihre Platte voll ist.",
    }),
    spool_set_aside: ({ folder }) => ({
      message:
        folder === undefined
          ? "Mail, von der diese Datenbank nichts weiß, wurde beiseitegelegt und wird nicht zugestellt."
          : `Mail, von der diese Datenbank nichts weiß, liegt jetzt in ${folder} und wird nicht zugestellt.`,
      action:
        "Halten Sie Postroom an und legen Sie die Datenbank zurück, zu der sie gehört, und dazu diesen Ordner unter dem Namen spool. Dann wird die Mail gesendet. Braucht niemand diese Mail, löschen Sie den Ordner; der Hinweis verschwindet mit dem nächsten Start.",
    }),
    spool_refused: ({ count, folder }) => ({
      message:
        count === "1"
          ? "Die Datenbank hat eine angenommene Nachricht abgewiesen, sie ist nicht in der Warteschlange: Wem sie gleich gesendet wurde, hat sie vielleicht, die anderen nicht."
          : `Die Datenbank hat ${count ?? "einige"} angenommene Nachrichten abgewiesen, sie sind nicht in der Warteschlange: Wem sie gleich gesendet wurden, hat sie vielleicht, die anderen nicht.`,
      action: `${count === "1" ? "Sie liegt" : "Sie liegen"} in ${folder ?? "dem Spool-Ordner"}: refused-….eml ist die Nachricht, die .json daneben nennt Absender, Empfänger und den Grund. Senden Sie sie von Hand weiter und löschen Sie dann beide Dateien. Alle andere Mail läuft weiter. Bitte melden Sie das als Fehler.`,
    }),
    spool_damaged: ({ places }) => ({
      message:
        places === undefined
          ? "Ein Teil des Spools ist nicht lesbar: Mail, die kurz vor dem letzten Halt angenommen wurde, kann verloren sein."
          : places === "1"
            ? "Eine Stelle im Spool ist nicht lesbar: Mail, die kurz vor dem letzten Halt angenommen wurde, kann verloren sein."
            : `${places} Stellen im Spool sind nicht lesbar: Mail, die kurz vor dem letzten Halt angenommen wurde, kann verloren sein.`,
      action: "Alles Lesbare ist in der Warteschlange. Prüfen Sie die Platte, bevor sie mehr verliert.",
    }),
  },
};

function storing({ cause, place = "", behind }: Args): Storing {
  const known = cause === "full" || cause === "busy" ? cause : "unwritable";
  return { cause: known, place, behind: behind === "true" };
}

/** What a text would leave out: the program's own words, where it did not name its values apart. */
function detailOf({ code, args, message }: Problem): string | null {
  if (code === "spool_set_aside" && args.folder === undefined) return message;
  return args.detail || null;
}

/** The words for a problem of a running server; `null` for a problem that is none. */
export function troubleText(problem: Problem): Trouble | null {
  const words = troubles[i18n.language][problem.code];
  return words === undefined ? null : { ...words(problem.args), detail: detailOf(problem) };
}
