//! What an expression throws: the .NET exceptions, by name and message.

use std::fmt;
use std::sync::Arc;

/// An exception on its way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Thrown {
    /// Which exception.
    pub kind: ExceptionKind,
    /// What `Message` says.
    pub message: String,
    /// `InnerException`.
    pub inner: Option<Arc<Self>>,
}

/// Writes the enum of exceptions with the full name and the base of each.
macro_rules! exceptions {
    ($($(#[$doc:meta])* $kind:ident = $name:literal : $base:ident),* $(,)?) => {
        /// The exceptions that expressions throw and catch.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum ExceptionKind {
            $($(#[$doc])* $kind,)*
        }

        impl ExceptionKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The full .NET name.
            pub const fn full_name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// The class it derives from; `System.Exception` is its own.
            #[must_use]
            pub const fn base(self) -> Self {
                match self {
                    $(Self::$kind => Self::$base,)*
                }
            }
        }
    };
}

exceptions! {
    /// The root of all.
    Exception = "System.Exception": Exception,
    /// The root of what the runtime itself throws.
    System = "System.SystemException": Exception,
    /// An application's own.
    Application = "System.ApplicationException": Exception,
    /// An argument is wrong.
    Argument = "System.ArgumentException": System,
    /// An argument is `null`.
    ArgumentNull = "System.ArgumentNullException": Argument,
    /// An argument is too small or too large.
    ArgumentOutOfRange = "System.ArgumentOutOfRangeException": Argument,
    /// The root of what arithmetic throws.
    Arithmetic = "System.ArithmeticException": System,
    /// Division by zero.
    DivideByZero = "System.DivideByZeroException": Arithmetic,
    /// A number does not fit.
    Overflow = "System.OverflowException": Arithmetic,
    /// A text is not written as it must be.
    Format = "System.FormatException": System,
    /// The root of what lists throw.
    IndexOutOfRange = "System.IndexOutOfRangeException": System,
    /// A value is not of the type asked for.
    InvalidCast = "System.InvalidCastException": System,
    /// A call does not fit the state of its object.
    InvalidOperation = "System.InvalidOperationException": System,
    /// A dictionary has no such key.
    KeyNotFound = "System.Collections.Generic.KeyNotFoundException": System,
    /// A call that is not implemented.
    NotImplemented = "System.NotImplementedException": System,
    /// A call that this object does not support.
    NotSupported = "System.NotSupportedException": System,
    /// A member of `null`.
    NullReference = "System.NullReferenceException": System,
    /// A time-out.
    Timeout = "System.TimeoutException": System,
    /// A caller that may not.
    UnauthorizedAccess = "System.UnauthorizedAccessException": System,
    /// A URI that is none.
    UriFormat = "System.UriFormatException": Format,
    /// A regular expression that is none, or that cannot be run in linear time.
    RegexParse = "System.Text.RegularExpressions.RegexParseException": Argument,
    /// The root of what JSON throws.
    Json = "Newtonsoft.Json.JsonException": Exception,
    /// JSON that is none.
    JsonReader = "Newtonsoft.Json.JsonReaderException": Json,
    /// JSON that does not fit the type.
    JsonSerialization = "Newtonsoft.Json.JsonSerializationException": Json,
    /// A time zone that is not known.
    TimeZoneNotFound = "System.TimeZoneNotFoundException": Exception,
    /// XML that is none.
    Xml = "System.Xml.XmlException": System,
    /// A key, a hash or a cipher is wrong.
    Cryptographic = "System.Security.Cryptography.CryptographicException": System,
    /// One of the gateway's own bounds was reached; .NET has none, so no `catch` may hold it back.
    Limit = "Weir.LimitException": Exception,
}

impl ExceptionKind {
    /// The one called `name`, short (`FormatException`) or full.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.full_name() == name || kind.name() == name)
    }

    /// The name without its namespace.
    pub fn name(self) -> &'static str {
        let name = self.full_name();
        name.rsplit('.').next().unwrap_or(name)
    }

    /// What `Message` says where nothing was given for it.
    pub fn default_message(self) -> String {
        let message = match self {
            Self::System => "System error.",
            Self::Application => "Error in the application.",
            Self::Argument => "Value does not fall within the expected range.",
            Self::ArgumentNull => "Value cannot be null.",
            Self::ArgumentOutOfRange => "Specified argument was out of the range of valid values.",
            Self::Arithmetic => "Overflow or underflow in the arithmetic operation.",
            Self::DivideByZero => "Attempted to divide by zero.",
            Self::Overflow => "Arithmetic operation resulted in an overflow.",
            Self::Format => "One of the identified items was in an invalid format.",
            Self::IndexOutOfRange => "Index was outside the bounds of the array.",
            Self::InvalidCast => "Specified cast is not valid.",
            Self::InvalidOperation => {
                "Operation is not valid due to the current state of the object."
            }
            Self::KeyNotFound => "The given key was not present in the dictionary.",
            Self::NotImplemented => "The method or operation is not implemented.",
            Self::NotSupported => "Specified method is not supported.",
            Self::NullReference => "Object reference not set to an instance of an object.",
            Self::Timeout => "The operation has timed out.",
            Self::UnauthorizedAccess => "Attempted to perform an unauthorized operation.",
            other => return format!("Exception of type '{}' was thrown.", other.full_name()),
        };
        message.to_owned()
    }

    /// Whether this is `other` or derives from it: whether `catch (other)` catches it.
    pub fn is_a(self, other: Self) -> bool {
        let mut kind = self;
        loop {
            if kind == other {
                return true;
            }
            if kind == Self::Exception {
                return false;
            }
            kind = kind.base();
        }
    }
}

impl Thrown {
    /// The exception `kind` that says `message`.
    pub fn new(kind: ExceptionKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), inner: None }
    }

    /// A text that should have been something else.
    pub fn format() -> Self {
        Self::new(ExceptionKind::Format, "Input string was not in a correct format.")
    }

    /// An argument that is `null`.
    pub fn argument_null(parameter: &str) -> Self {
        Self::new(
            ExceptionKind::ArgumentNull,
            format!("Value cannot be null. (Parameter '{parameter}')"),
        )
    }

    /// An argument out of range; `why` is a sentence with its full stop.
    pub fn out_of_range(parameter: &str, why: &str) -> Self {
        Self::new(ExceptionKind::ArgumentOutOfRange, format!("{why} (Parameter '{parameter}')"))
    }

    /// An index into a list that it does not have.
    pub fn list_index() -> Self {
        Self::out_of_range(
            "index",
            "Index was out of range. Must be non-negative and less than the size of the collection.",
        )
    }

    /// An index into an array or a string that it does not have.
    pub fn array_index() -> Self {
        Self::new(ExceptionKind::IndexOutOfRange, "Index was outside the bounds of the array.")
    }

    /// A number that does not fit; `target` as in `an Int32`.
    pub fn overflow(target: &str) -> Self {
        Self::new(
            ExceptionKind::Overflow,
            format!("Value was either too large or too small for {target}."),
        )
    }

    /// A member of `null`.
    pub fn null_reference() -> Self {
        Self::new(
            ExceptionKind::NullReference,
            "Object reference not set to an instance of an object.",
        )
    }

    /// A division by zero.
    pub fn divide_by_zero() -> Self {
        Self::new(ExceptionKind::DivideByZero, "Attempted to divide by zero.")
    }

    /// A call that does not fit the state of its object.
    pub fn invalid_operation(message: impl Into<String>) -> Self {
        Self::new(ExceptionKind::InvalidOperation, message)
    }

    /// A key that a dictionary does not have.
    pub fn key_not_found(key: &str) -> Self {
        Self::new(
            ExceptionKind::KeyNotFound,
            format!("The given key '{key}' was not present in the dictionary."),
        )
    }

    /// A bound of the gateway that was reached.
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(ExceptionKind::Limit, message)
    }
}

impl fmt::Display for Thrown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.kind.full_name(), self.message)
    }
}

impl std::error::Error for Thrown {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catch_catches_what_derives_from_its_class() {
        assert!(ExceptionKind::ArgumentNull.is_a(ExceptionKind::Argument));
        assert!(ExceptionKind::UriFormat.is_a(ExceptionKind::Format));
        assert!(!ExceptionKind::Format.is_a(ExceptionKind::Argument));
        for kind in ExceptionKind::ALL {
            assert!(kind.is_a(ExceptionKind::Exception));
            assert_eq!(ExceptionKind::from_name(kind.full_name()), Some(*kind));
            assert_eq!(ExceptionKind::from_name(kind.name()), Some(*kind));
        }
        assert_eq!(ExceptionKind::from_name("Nothing"), None);
    }
}
