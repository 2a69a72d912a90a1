//! A setting is declared once: name, help text, type, default and bounds stand in one place, and the struct, its
//! `Default`, the range check and what the panes show are made from it.

use serde::Serialize;
use ts_rs::TS;

/// What a pane or `postroom settings` can say about a setting.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct FieldInfo {
    /// Path, for example `general.max_hops`.
    pub path: String,
    /// Help text: the doc comment of the field.
    pub help: String,
    /// Smallest number allowed, for numbers.
    pub min: Option<f64>,
    /// Largest number allowed, for numbers.
    pub max: Option<f64>,
    /// The value of a fresh installation.
    #[ts(type = "unknown")]
    pub default: serde_json::Value,
}

/// A number that may have bounds; `None` stands for *no limit*.
pub(crate) trait Bounded {
    fn number(&self) -> Option<u64>;
}

impl Bounded for u16 {
    fn number(&self) -> Option<u64> {
        Some(u64::from(*self))
    }
}

impl Bounded for u32 {
    fn number(&self) -> Option<u64> {
        Some(u64::from(*self))
    }
}

impl Bounded for Option<u32> {
    fn number(&self) -> Option<u64> {
        self.map(u64::from)
    }
}

/// Declares a section: a struct whose fields each have a doc comment (the help text), a default and perhaps a range.
macro_rules! section {
    (
        $(#[$outer:meta])*
        $name:ident at $section:literal {
            $( $(#[doc = $help:literal])+ $(#[ts($($ts:tt)*)])? $(#[serde($($serde:tt)*)])?
               $field:ident : $type:ty = $default:expr $(, $min:literal ..= $max:literal)? ; )*
        }
    ) => {
        $(#[$outer])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, ts_rs::TS)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $( $(#[doc = $help])+ $(#[ts($($ts)*)])? $(#[serde($($serde)*)])? pub $field: $type, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl $name {
            /// What the panes show about each setting of this section.
            pub fn fields() -> Vec<crate::FieldInfo> {
                let defaults = serde_json::to_value(Self::default()).unwrap_or_default();
                vec![ $( crate::FieldInfo {
                    path: concat!($section, ".", stringify!($field)).into(),
                    help: [$($help),+].map(str::trim).join(" "),
                    min: crate::field::section!(@bound $($min)?),
                    max: crate::field::section!(@bound $($max)?),
                    default: defaults.get(stringify!($field)).cloned().unwrap_or_default(),
                }, )* ]
            }

            /// Numbers outside their range.
            pub(crate) fn check_ranges(&self) -> Vec<crate::Problem> {
                #[allow(unused_mut, reason = "some sections have no numbers")]
                let mut problems = Vec::new();
                $( $( crate::check::range(
                    &mut problems, concat!($section, ".", stringify!($field)), &self.$field, $min, $max,
                ); )? )*
                problems
            }
        }
    };
    (@bound) => { None };
    (@bound $value:literal) => { Some(f64::from($value)) };
}
pub(crate) use section;
