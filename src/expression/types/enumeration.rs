//! The enumerations that policies may use: their values are `int`s at run time.

/// Writes the enum of enumerations with the members of each.
macro_rules! enumerations {
    ($($kind:ident = $namespace:literal { $($member:ident = $value:literal),* $(,)? })*) => {
        /// A .NET enumeration.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub(in crate::expression) enum Enumeration {
            $($kind,)*
        }

        impl Enumeration {
            /// All of them.
            pub(in crate::expression) const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The name without its namespace.
            pub(in crate::expression) const fn name(self) -> &'static str {
                match self { $(Self::$kind => stringify!($kind),)* }
            }

            /// The namespace.
            pub(in crate::expression) const fn namespace(self) -> &'static str {
                match self { $(Self::$kind => $namespace,)* }
            }

            /// The members with their numbers.
            pub(in crate::expression) const fn members(self) -> &'static [(&'static str, i32)] {
                match self { $(Self::$kind => &[$((stringify!($member), $value),)*],)* }
            }
        }
    };
}

enumerations! {
    StringComparison = "System" {
        CurrentCulture = 0, CurrentCultureIgnoreCase = 1, InvariantCulture = 2,
        InvariantCultureIgnoreCase = 3, Ordinal = 4, OrdinalIgnoreCase = 5,
    }
    StringSplitOptions = "System" { None = 0, RemoveEmptyEntries = 1, TrimEntries = 2 }
    DayOfWeek = "System" {
        Sunday = 0, Monday = 1, Tuesday = 2, Wednesday = 3, Thursday = 4, Friday = 5, Saturday = 6,
    }
    DateTimeKind = "System" { Unspecified = 0, Utc = 1, Local = 2 }
    MidpointRounding = "System" {
        ToEven = 0, AwayFromZero = 1, ToZero = 2, ToNegativeInfinity = 3, ToPositiveInfinity = 4,
    }
    UriKind = "System" { RelativeOrAbsolute = 0, Absolute = 1, Relative = 2 }
    UriPartial = "System" { Scheme = 0, Authority = 1, Path = 2, Query = 3 }
    Base64FormattingOptions = "System" { None = 0, InsertLineBreaks = 1 }
    NumberStyles = "System.Globalization" {
        None = 0, AllowLeadingWhite = 1, AllowTrailingWhite = 2, AllowLeadingSign = 4,
        Integer = 7, AllowTrailingSign = 8, AllowParentheses = 16, AllowDecimalPoint = 32,
        AllowThousands = 64, Number = 111, AllowExponent = 128, Float = 167,
        AllowCurrencySymbol = 256, Currency = 383, Any = 511, AllowHexSpecifier = 512,
        HexNumber = 515,
    }
    DateTimeStyles = "System.Globalization" {
        None = 0, AllowLeadingWhite = 1, AllowTrailingWhite = 2, AllowInnerWhite = 4,
        AllowWhiteSpaces = 7, NoCurrentDateDefault = 8, AdjustToUniversal = 16, AssumeLocal = 32,
        AssumeUniversal = 64, RoundtripKind = 128,
    }
    RegexOptions = "System.Text.RegularExpressions" {
        None = 0, IgnoreCase = 1, Multiline = 2, ExplicitCapture = 4, Compiled = 8,
        Singleline = 16, IgnorePatternWhitespace = 32, RightToLeft = 64, ECMAScript = 256,
        CultureInvariant = 512, NonBacktracking = 1024,
    }
    JTokenType = "Newtonsoft.Json.Linq" {
        None = 0, Object = 1, Array = 2, Constructor = 3, Property = 4, Comment = 5, Integer = 6,
        Float = 7, String = 8, Boolean = 9, Null = 10, Undefined = 11, Date = 12, Raw = 13,
        Bytes = 14, Guid = 15, Uri = 16, TimeSpan = 17,
    }
    X509NameType = "System.Security.Cryptography.X509Certificates" {
        SimpleName = 0, EmailName = 1, UpnName = 2, DnsName = 3, DnsFromAlternativeName = 4,
        UrlName = 5,
    }
    CipherMode = "System.Security.Cryptography" { CBC = 1, ECB = 2, OFB = 3, CFB = 4, CTS = 5 }
    PaddingMode = "System.Security.Cryptography" {
        None = 1, PKCS7 = 2, Zeros = 3, ANSIX923 = 4, ISO10126 = 5,
    }
    AddressFamily = "System.Net.Sockets" { Unspecified = 0, InterNetwork = 2, InterNetworkV6 = 23 }
    Formatting = "Newtonsoft.Json" { None = 0, Indented = 1 }
    CarbonIntensityCategory = "" {
        NotAvailable = 0, VeryLow = 1, Low = 2, Medium = 3, High = 4, VeryHigh = 5,
    }
    XmlNodeType = "System.Xml" {
        None = 0, Element = 1, Attribute = 2, Text = 3, CDATA = 4, EntityReference = 5,
        Entity = 6, ProcessingInstruction = 7, Comment = 8, Document = 9, DocumentType = 10,
        DocumentFragment = 11, Notation = 12, Whitespace = 13, SignificantWhitespace = 14,
        EndElement = 15, EndEntity = 16, XmlDeclaration = 17,
    }
    SaveOptions = "System.Xml.Linq" { None = 0, DisableFormatting = 1, OmitDuplicateNamespaces = 2 }
}

impl Enumeration {
    /// The number of the member called `name`.
    pub(in crate::expression) fn number(self, name: &str) -> Option<i32> {
        self.members().iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
    }

    /// The name of the member with that number, or the number itself.
    pub(in crate::expression) fn text(self, number: i32) -> String {
        let found = self.members().iter().find(|(_, known)| *known == number);
        match found {
            Some((name, _)) => (*name).to_owned(),
            None if self.is_flags() => self.flags(number),
            None => number.to_string(),
        }
    }

    /// Whether its members are bits that are put together.
    const fn is_flags(self) -> bool {
        matches!(
            self,
            Self::RegexOptions
                | Self::NumberStyles
                | Self::DateTimeStyles
                | Self::StringSplitOptions
                | Self::SaveOptions
        )
    }

    /// The names of the bits, the largest members first taken, in the order of their numbers.
    fn flags(self, number: i32) -> String {
        let mut rest = number;
        let mut names = Vec::new();
        for (name, bits) in self.members().iter().rev() {
            if *bits != 0 && rest & bits == *bits {
                rest &= !bits;
                names.push(*name);
            }
        }
        if rest != 0 || names.is_empty() {
            return number.to_string();
        }
        names.reverse();
        names.join(", ")
    }

    /// The one with that full name.
    pub(in crate::expression) fn from_full_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|of| {
            name.strip_suffix(of.name()).and_then(|space| space.strip_suffix('.'))
                == Some(of.namespace())
        })
    }

    /// The number of the member called `name`, or written as a number.
    pub(in crate::expression) fn parse(self, name: &str, ignores_case: bool) -> Option<i32> {
        let name = name.trim();
        let same =
            |known: &str| known == name || (ignores_case && known.eq_ignore_ascii_case(name));
        let found = self.members().iter().find(|(known, _)| same(known));
        found.map(|(_, number)| *number).or_else(|| name.parse().ok())
    }
}
