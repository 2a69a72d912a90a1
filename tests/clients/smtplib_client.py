"""Sends one message with Python's smtplib.

Arguments: host, port, way (inbound, starttls, implicit), mechanism, login, password, sender, recipient, subject.
"""

import smtplib
import ssl
import sys
from email.message import EmailMessage

host, port, way, mechanism, login, password, sender, recipient, subject = sys.argv[1:]

message = EmailMessage()
message["From"], message["To"], message["Subject"] = sender, recipient, subject
message.set_content("Zo\u00eb sends a letter.\n.\n..two dots\n")
message.add_attachment(b"\x00\x01\x02" * 1000, maintype="application", subtype="octet-stream", filename="\u00e4.bin")

context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE

if way == "implicit":
    connection = smtplib.SMTP_SSL(host, int(port), timeout=30, context=context)
else:
    connection = smtplib.SMTP(host, int(port), timeout=30)
with connection:
    if way == "starttls":
        connection.starttls(context=context)
    if way != "inbound":
        connection.ehlo()
        connection.user, connection.password = login, password
        connection.auth(mechanism, getattr(connection, "auth_" + mechanism.lower()))
    connection.send_message(message)
