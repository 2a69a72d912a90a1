//! Debian packages: which are wanted, which are missing, and how they come onto the machine.

use anyhow::{Result, bail};

use crate::step::Step;

/// To build the window and to show it. `libwebkit2gtk-4.1-dev` brings the other -dev packages with it.
pub const BUILD: &[&str] = &[
    "build-essential",
    "pkg-config",
    "libwebkit2gtk-4.1-dev",
    "libayatana-appindicator3-1",
];

/// To test: a display without a screen, something to click with, and mail clients and servers that
/// others wrote.
pub const TEST: &[&str] = &[
    "xvfb",
    "xauth",
    "webkit2gtk-driver",
    "fonts-dejavu-core",
    "xdotool",
    "xclip",
    "clamav-daemon",
    "curl",
    "dovecot-lmtpd",
    "libnet-ssleay-perl",
    "libsasl2-modules",
    "msmtp",
    "postfix",
    "procps",
    "python3",
    "sasl2-bin",
    "swaks",
];

/// To measure: a display without a screen; Postfix, whose `smtp-source` and `smtp-sink` make the load and which is
/// measured beside us.
pub const BENCH: &[&str] = &["xvfb", "fonts-dejavu-core", "postfix"];

/// To measure mail alone.
pub const LOAD: &[&str] = &["postfix"];

/// Installs packages as root. Postfix gets no configuration, for tests and measurements bring their own, and while the
/// packages are unpacked nothing is started (`policy-rc.d` is how Debian asks).
const INSTALL: &str = r#"
guard=/usr/sbin/policy-rc.d
if [ ! -e "$guard" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$guard"
    chmod 755 "$guard"
    trap 'rm -f "$guard"' EXIT
fi
if command -v debconf-set-selections > /dev/null; then
    echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -o DPkg::Lock::Timeout=500 -o Acquire::Retries=3 update
apt-get -o DPkg::Lock::Timeout=500 -o Acquire::Retries=3 install -y --no-install-recommends "$@"
"#;

/// Sees to it that these packages are there. Where it takes rights that the user does not have, prints the one line
/// to type and stops.
pub fn install(wanted: &[&str]) -> Result<()> {
    if !Step::new("Look for Debian", "dpkg-query")?
        .args(["--version"])
        .succeeds()
    {
        println!(
            "This is not Debian. The build will want what these packages hold: {}",
            wanted.join(" ")
        );
        return Ok(());
    }
    let missing = missing(wanted)?;
    if missing.is_empty() {
        return Ok(());
    }
    let name = format!("Install Debian packages: {}", missing.join(" "));
    let shell = ["-eu", "-c", INSTALL, "sh"];
    let step = match rights()? {
        Rights::Root => Step::new(name, "sh")?.args(shell),
        Rights::Sudo => Step::new(name, "sudo")?.args(["-n", "sh"]).args(shell),
        Rights::None => bail!(
            "Some Debian packages are missing. Type this, then start again:\n\n    \
             sudo apt-get install -y --no-install-recommends {}\n",
            missing.join(" ")
        ),
    };
    step.args(missing)
        .advice("Is the network there? `apt-get update` by hand shows more.")
        .run()
}

/// What this user may do to the machine.
enum Rights {
    Root,
    Sudo,
    None,
}

fn rights() -> Result<Rights> {
    if Step::new("Ask who I am", "id")?
        .args(["-u"])
        .output()?
        .trim()
        == "0"
    {
        return Ok(Rights::Root);
    }
    // -n: without a password, or not at all.
    let may_sudo = Step::new("Ask for sudo", "sudo")?
        .args(["-n", "true"])
        .succeeds();
    Ok(if may_sudo { Rights::Sudo } else { Rights::None })
}

fn missing<'a>(wanted: &[&'a str]) -> Result<Vec<&'a str>> {
    let mut missing = Vec::new();
    for package in wanted {
        if !is_installed(package)? {
            missing.push(*package);
        }
    }
    Ok(missing)
}

fn is_installed(package: &str) -> Result<bool> {
    let query = "test \"$(dpkg-query -W -f='${db:Status-Abbrev}' \"$1\")\" = 'ii '";
    Ok(Step::new("Look for a package", "sh")?
        .args(["-c", query, "sh", package])
        .succeeds())
}
