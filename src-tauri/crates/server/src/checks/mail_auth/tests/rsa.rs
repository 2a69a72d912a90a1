//! Signatures of one message by keys that `ring` cannot make: RSA, of several lengths. The private halves are gone.

/// The message that they are for.
pub(super) const MESSAGE: &str =
    "From: Anna <anna@far.example>\r\nTo: bob@office.example\r\nSubject: hello\r\n\r\nhello\r\n";

/// A key and what it signed.
pub(super) struct Signed {
    /// Its selector, below `far.example`.
    pub selector: &'static str,
    /// The `p=` of its record.
    pub key: &'static str,
    /// The field without its line end.
    pub field: &'static str,
}

/// 2,048 bits.
pub(super) const RSA_2048: Signed = Signed {
    selector: "r2048",
    key: "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAv2bEXTkpqD/150uQNRf6dFvOvdsTEE5MlZ4gWbgEWMJwfDron2CIeX0X\
         PDkSFvf+nORJjevZhAq3o9VlqxGZleV8Qoznk7l82R8bzT2Yv6obAaScKqTTqvPbI/WaZ53PEh6OCJ6/Sn3OLxu+KOhri+AZVazC\
         +43BYOsmE5+bstO8TBy6tHEdPxxTyIq/cNcoeFm3MERI49Jg5ECZD7K1UtIcd/T7RxuZkppWvSybospCPdaXqVCJ5I8lXX2hsBfl\
         87KprfaL6S6xdXgrWLahgEzbNYgkkMJada3rVJIWdC89MsZU2ydqdWioJU1BWq7aRZutxFU1GuM6GM8xipYsBQIDAQAB",
    field: "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=far.example; i=@far.example; q=dns/txt; s=r2\
         048; t=1795529722; h=from : subject; bh=zS7KNTV0HyeorkDDGwxB1AV6enuRKzO5rthkhdHIRnY=;\
         \x20b=MzTBhHIVtQqS8FwU43wdX6Kmmm23Y6oiJJYJ0HWng7FF2RMDHzn9YrJIzl6TJQrbnZlZVLYizcjlq4YSjr2Jf0yZTbt00T8TBS8E\
         wrGgkr3oEJRA8m4ONGvgRDYwX6uln0++zss5lZsVZBq38uOglBUGpzksHpCNIvj8wILjI5FPEwzfSq03c7/t5Wwz6MvIov9FRipX\
         p9xOLid4oPni9QS4NWodFLcIL2IxErwq46Yp3JRxSKS8vMQZk02CWFloGgcdiXuwtbNIyFkVUdOex8CmOFQ1SSdHi049qYAQCvAE\
         b3Tc/oh8xhcacMmvodvlPNMtEkSYg6SdyaCsbwoxFw==",
};

/// 1,024 bits, the least that counts.
pub(super) const RSA_1024: Signed = Signed {
    selector: "r1024",
    key: "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDWiNQNfWdEA97isTKfIMfTFfkDuQCMkLFRI6g/Zbm4HXR3q4qMAKVr3jQBas/W\
         Ip6WMvBe172actazNaLfHpg3WMhPsWY8cOOxcpfAlTIPAI+kLUmwGCKocaTiQvvNLLFy/X24t8KfSVV5V7XLCL/IJRyWuXMipEeO\
         p447yCIg/QIDAQAB",
    field: "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=far.example; i=@far.example; q=dns/txt; s=r1\
         024; t=1795529722; h=from : subject; bh=zS7KNTV0HyeorkDDGwxB1AV6enuRKzO5rthkhdHIRnY=;\
         \x20b=BWXbkQoesIMTwDe0oxpPhmpxrestNRf/qNrGJDlMYnCz0nILy6Mxl4Tb4OL0aXxlvwsmkD22I1jYQUsVYGpEhhJ8D7XJPmo/ixLi\
         MRBaH60Uzr6KDHAJ6Hfm84CCU9riX1ShgikXiWvo5GAXG7lKWCk6n5JCHQ8//VTZpUhrbtM=",
};

/// 768 bits.
pub(super) const RSA_768: Signed = Signed {
    selector: "r768",
    key: "MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhAMIGQfCZSNDvyFiS+D309s2eBzfhFz/3WLcxxNnefDshTQ2zBPDtTbde9RKbvmuYs1Uh\
         x8b1s/jI4Kl4+IhosWtcg0Var1j5qaZqySwL7oBebR0fWz9NI9YelwA8O8YRaQIDAQAB",
    field: "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=far.example; i=@far.example; q=dns/txt; s=r7\
         68; t=1795529722; h=from : subject; bh=zS7KNTV0HyeorkDDGwxB1AV6enuRKzO5rthkhdHIRnY=;\
         \x20b=Gj8u15BBwSqI3IVgbKM3pRVkQ4GiyxzNRLPxN2xjFPTF3LW8zjuyIMDmVq4CVSmhaQuHe9DpehbXKLHmZbSWS54gu/zwaaGDD/yP\
         CQC9s2uqn3hFmPNN6Mkn5bSIe1vT",
};

/// 2,048 bits, with SHA-1.
pub(super) const RSA_SHA1: Signed = Signed {
    selector: "sha1",
    key: "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAq/+SxrqaAUC6LaSSgugDLHar/oqPOH5m1BbAqPZzi4UyEysuQQ8owuo6\
         Hd3E03Wsi/ci1079mu4BzqlYwsBIK+zi9Ca4mBD1ZNT4ih6fHKoWhZqxoRNjjwojGrI+ca7tHn3lmRnLwMhegKEJDoniq2eEAfOi\
         HDtDRmAZwx7MHcwjLN5C4sipQGAkcgwXQwushBGgt8LpqKvQhIsWmDqPTOIDsqk83mGSq07Byx18KSZJfq8Bjggn/9rbVFUzQW7U\
         dtGr8Wshd+o+v4umrTM9VjZ2UM8zdJwQV8lE+mmbk/DiWKzmXrs6Lafn1o5GkOjCI3P+bzJBtOsP/TW8n38f7QIDAQAB",
    field: "DKIM-Signature: v=1; a=rsa-sha1; c=relaxed/relaxed; d=far.example; i=@far.example; q=dns/txt; s=sha1\
         ; t=1795529722; h=from : subject; bh=qlkWrn/RWaGLG3LqkFx1cgfiZok=;\
         \x20b=ijFSe8ab5KvsXa141IZ1XHJQD7ul3vDSpoANjD8G1RfO0vn/iiWlxWJEX3njJ218jkmGgvDpHCqAUGJ4+H23lSq4dKjdDUSS5YMb\
         ZezARvu9WI7L5PcCNTITi14DgO+SV+4s9xiDylcwjh938cCWUrhdxQ0o/hmPlzWJkYzHtRexNClnF7ojN4xpWfqlT9Ih6csAbTyS\
         pd14yvTpqE2Tg6+oLo1gVGyHE8UjHeHpwiuKJ36jmuj6SQ5uPe727XXmsWNF/SY/xPyVriZxNUTwKj6HiB4aprpTLw7VDlEl9PGS\
         Ryz2ZFJnClgP9Lb2BotKny4CC/tiPa6aPMedBelmNA==",
};
