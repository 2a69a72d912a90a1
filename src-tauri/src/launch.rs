//! Reads from the arguments whether a window or the command line was asked for.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
pub enum Launch {
    /// The window, on this data folder or on the usual one.
    Window {
        /// The folder after `--data-dir`, when there is one.
        data_dir: Option<PathBuf>,
    },
    /// A verb, a question for help or a mistake: the command line reads the same arguments again and answers.
    CommandLine,
}

impl Launch {
    /// Decides by the arguments without the program's own name.
    pub fn of(arguments: impl IntoIterator<Item = OsString>) -> Self {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        match arguments.as_slice() {
            [] => Self::Window { data_dir: None },
            [option, folder] if option == "--data-dir" && !folder.is_empty() => window_on(folder),
            [joined] => match folder_in(joined) {
                Some(folder) => window_on(folder),
                None => Self::CommandLine,
            },
            _ => Self::CommandLine,
        }
    }
}

fn window_on(folder: &OsStr) -> Launch {
    Launch::Window {
        data_dir: Some(PathBuf::from(folder)),
    }
}

/// The folder of `--data-dir=FOLDER`. A folder whose name is not UTF-8 is only understood in two words.
fn folder_in(joined: &OsStr) -> Option<&OsStr> {
    let folder = joined.to_str()?.strip_prefix("--data-dir=")?;
    (!folder.is_empty()).then(|| OsStr::new(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(arguments: &[&str]) -> Launch {
        Launch::of(arguments.iter().map(OsString::from))
    }

    #[test]
    fn no_argument_opens_the_window() {
        assert_eq!(launch(&[]), Launch::Window { data_dir: None });
    }

    #[test]
    fn a_data_folder_alone_opens_the_window_on_it() {
        let on_folder = Launch::Window {
            data_dir: Some(PathBuf::from("/srv/post room")),
        };
        assert_eq!(launch(&["--data-dir", "/srv/post room"]), on_folder);
        assert_eq!(launch(&["--data-dir=/srv/post room"]), on_folder);
    }

    #[test]
    fn a_verb_is_the_command_line_with_and_without_a_data_folder() {
        assert_eq!(launch(&["serve"]), Launch::CommandLine);
        assert_eq!(
            launch(&["--data-dir", "/srv/post", "serve"]),
            Launch::CommandLine
        );
        assert_eq!(
            launch(&["--data-dir=/srv/post", "user", "list"]),
            Launch::CommandLine
        );
    }

    #[test]
    fn help_and_mistakes_are_answered_by_the_command_line() {
        for arguments in [
            &["--help"][..],
            &["-V"],
            &["--data-dir"],
            &["--data-dir="],
            &["--data-dir", ""],
            &["--dta-dir", "x"],
        ] {
            assert_eq!(launch(arguments), Launch::CommandLine, "{arguments:?}");
        }
    }
}
