/** Bezeichnung und Hilfe jeder Einstellung, nach Pfad. */
import type { fieldsEn } from "./fields.en";

export const fieldsDe: typeof fieldsEn = {
  fields: {
    "general.smtp_auth": {
      label: "SMTP-Anmeldung verlangen",
      help: "Wer an andere Domains senden will, meldet sich an. Mail für Ihre Benutzer wird von jedem angenommen.",
    },
    "general.skip_auth_for_local_network": {
      label: "Nicht im lokalen Netz",
      help: "Geräte im lokalen Netz und dieser Rechner selbst dürfen ohne Anmeldung senden.",
    },
    "general.sender_must_match_login": {
      label: "Absender muss der angemeldete Benutzer sein",
      help: "Absender und From-Zeile müssen eine Adresse des angemeldeten Benutzers sein.",
    },
    "general.auth_requires_tls": {
      label: "Kennwörter nur verschlüsselt",
      help: "Die Anmeldung wird erst nach TLS angeboten. Auf Port 25 ist dieser Rechner selbst ausgenommen.",
    },
    "general.disable_auto_forwarding": {
      label: "Automatisches Weiterleiten abschalten",
      help: "Lehnt Nachrichten ab, die ein Mailprogramm selbsttätig weiterleitet. Von Hand weiterleiten geht weiter.",
    },
    "general.domain": {
      label: "Domain",
      help: "Der Teil nach dem @ in den Adressen Ihrer Benutzer, in jeder Schrift.",
    },
    "general.additional_domains": {
      label: "Weitere Domains",
      help: "Dieselben Benutzer sind auch unter diesen Domains erreichbar (Domain-Aliasse).",
    },
    "general.hostname": {
      label: "Hostname (FQDN)",
      help: "Der volle Name dieses Rechners im DNS, auf den der MX-Eintrag der Domain zeigt.",
    },
    "general.banner": {
      label: "Begrüßung",
      help: "Die erste Zeile, die ein Client sieht. Hostname und ESMTP werden ergänzt, wenn sie fehlen.",
    },
    "general.max_recipients": {
      label: "Empfänger je Nachricht",
      help: "An so viele Adressen darf eine Nachricht auf einmal gehen.",
    },
    "general.max_hops": {
      label: "Stationen einer Nachricht",
      help: "So viele Server darf sie durchlaufen haben (Received-Zeilen). Normale Mail hat 3–8.",
    },
    "general.max_message_size_mb": {
      label: "Größe einer Nachricht",
      help: "Die ganze Nachricht, so wie sie übertragen wird.",
    },
    "general.max_attachment_size_mb": {
      label: "Größe eines einzelnen Anhangs",
      help: "Die angehängte Datei, wie der Empfänger sie speichert. Die Ablehnung nennt die Datei.",
    },
    "service.smtp": {
      label: "Eingehende Mail (SMTP)",
      help: "Hier liefern andere Server ein. [::]:25 ist Port 25 auf jeder Adresse dieses Rechners.",
    },
    "service.submission": {
      label: "Mail senden, STARTTLS",
      help: "Hier melden sich Mailprogramme an; verschlüsselt wird auf Verlangen (Submission).",
    },
    "service.submissions": {
      label: "Mail senden, TLS",
      help: "Hier melden sich Mailprogramme an; verschlüsselt ab dem ersten Byte (Submissions).",
    },
    "service.certificate": {
      label: "Zertifikat",
      help: "Ein selbst signiertes geht sofort, aber Mailprogramme fragen nach. Eigene Dateien werden bei Änderung neu gelesen.",
    },
    "service.local_networks": {
      label: "Lokale Netze",
      help: "Welche Adressen als lokal gelten. Automatisch heißt: dieser Rechner und seine privaten Netze.",
    },
    "service.dns_servers": {
      label: "DNS-Server",
      help: "Werden anstelle der des Systems gefragt. Mit Port, etwa 192.168.1.1:53.",
    },
    "service.mailbox": {
      label: "Ort der Postfächer",
      help: "Hier endet die Mail für Ihre Benutzer.",
    },
    "service.mailbox.maildir": {
      label: "Mailordner",
      help: "Hier liegen die Postfächer, ein Maildir je Benutzer. Leer heißt: im Datenordner.",
    },
    "service.mailbox.lmtp": {
      label: "Mailspeicher (LMTP)",
      help: "Ein anderes Programm führt die Postfächer: Rechner und Port, etwa 127.0.0.1:24, oder unix: und der Pfad eines Sockets.",
    },
    "service.journal_days": {
      label: "Mailprotokoll aufbewahren",
      help: "Ältere Einträge werden täglich entfernt.",
    },
    "delivery.relay_enabled": {
      label: "Über ein Relay senden",
      help: "Mail an andere Domains geht an einen Server, etwa den Ihres Anbieters. Sonst geht sie direkt an die Server jeder Domain.",
    },
    "delivery.relay_server": {
      label: "Relay-Server",
      help: "Hostname oder IP-Adresse. Er wird genommen, wie er hier steht; sein MX wird nicht gefragt.",
    },
    "delivery.relay_port": {
      label: "Port",
      help: "587 mit STARTTLS, 465 mit TLS ab dem ersten Byte, oder 25.",
    },
    "delivery.relay_tls": {
      label: "Immer eine sichere Verbindung (TLS)",
      help: "Mail geht verschlüsselt hinaus oder wartet. Sonst wird verschlüsselt, wo das Relay es anbietet.",
    },
    "delivery.relay_tls_mode": {
      label: "Beginn der Verschlüsselung",
      help: "Automatisch heißt: auf Port 465 ab dem ersten Byte, auf allen anderen mit STARTTLS.",
    },
    "delivery.relay_certificate": {
      label: "Zertifikat des Relays",
      help: "Geprüft: für diesen Namen von bekannter Stelle ausgestellt. Angeheftet: genau das gewählte.",
    },
    "delivery.relay_auth": {
      label: "Das Relay verlangt eine Anmeldung",
      help: "Benutzername und Kennwort werden vor jeder Mail gesendet.",
    },
    "delivery.relay_username": {
      label: "Benutzername",
      help: "Ihr Benutzername beim Relay. Das Kennwort liegt getrennt und wird nie gezeigt.",
    },
    "delivery.relay_auth_in_clear": {
      label: "Kennwort auch ungeschützt senden",
      help: "Nur für ein Relay ohne Verschlüsselung oder mit einem Zertifikat, das nichts beweist.",
    },
    "delivery.direct_port": {
      label: "Port anderer Server",
      help: "Für Mail, die direkt an die Server ihrer Domain geht. Im ganzen Internet ist es 25.",
    },
    "delivery.retry_schedule_minutes": {
      label: "Minuten zwischen den Versuchen",
      help: "Nach dem ersten Fehlschlag, dem zweiten und so fort. Die letzte Zahl gilt immer weiter.",
    },
    "delivery.give_up_after_hours": {
      label: "Mail zurückgeben nach",
      help: "Was bis dahin nicht zugestellt werden konnte, geht an den Absender zurück.",
    },
    "delivery.warn_after_hours": {
      label: "Absender über Verzögerung benachrichtigen nach",
      help: "Einmal, während die Mail weiter wartet.",
    },
  },
};
