//! Which addresses the window may show: its own pages and nothing else.

use tauri::Url;

/// Whether the window may go to this address.
///
/// A link in a message's subject, a file dropped beside its target or a script must not lead the window, and with it
/// the commands it may call, to somebody else's page.
pub(crate) fn is_own_page(url: &Url) -> bool {
    let own_host = |host: &str| url.host_str() == Some(host);
    match url.scheme() {
        "tauri" => own_host("localhost"),
        // Where a custom scheme cannot carry pages, Tauri serves them under this made-up host.
        "http" | "https" if own_host("tauri.localhost") => true,
        // The development server; a program with its pages inside never asks for it.
        "http" => {
            cfg!(not(feature = "custom-protocol"))
                && own_host("localhost")
                && url.port() == Some(5173)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> bool {
        is_own_page(&Url::parse(url).unwrap())
    }

    #[test]
    fn own_pages_are_shown() {
        assert!(shown("tauri://localhost/"));
        assert!(shown("tauri://localhost/index.html#/mail_log"));
    }

    #[test]
    fn foreign_pages_files_and_scripts_are_not_shown() {
        for url in [
            "https://example.org/",
            "http://127.0.0.1:5173/",
            "file:///etc/passwd",
            "data:text/html,<p>hello</p>",
            "javascript:alert(1)",
            "about:blank",
            "tauri://example.org/",
            "https://tauri.localhost.example.org/",
        ] {
            assert!(!shown(url), "{url}");
        }
    }
}
