//! The classes that policies may use, by name.

use super::Type;

/// Writes the enum of classes with the C# name and the namespace of each.
macro_rules! classes {
    ($($class:ident = $namespace:literal $name:literal),* $(,)?) => {
        /// A class or struct that has no type arguments.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub(in crate::expression) enum Class {
            $($class,)*
        }

        impl Class {
            /// All of them.
            pub(in crate::expression) const ALL: &'static [Self] = &[$(Self::$class,)*];

            /// The name without its namespace.
            pub(in crate::expression) const fn name(self) -> &'static str {
                match self { $(Self::$class => $name,)* }
            }

            /// The namespace; empty for what APIM adds.
            pub(in crate::expression) const fn namespace(self) -> &'static str {
                match self { $(Self::$class => $namespace,)* }
            }
        }
    };
}

classes! {
    JToken = "Newtonsoft.Json.Linq" "JToken",
    JContainer = "Newtonsoft.Json.Linq" "JContainer",
    JObject = "Newtonsoft.Json.Linq" "JObject",
    JArray = "Newtonsoft.Json.Linq" "JArray",
    JProperty = "Newtonsoft.Json.Linq" "JProperty",
    JValue = "Newtonsoft.Json.Linq" "JValue",
    JRaw = "Newtonsoft.Json.Linq" "JRaw",
    JsonConvert = "Newtonsoft.Json" "JsonConvert",
    DateTime = "System" "DateTime",
    DateTimeOffset = "System" "DateTimeOffset",
    TimeSpan = "System" "TimeSpan",
    TimeZoneInfo = "System" "TimeZoneInfo",
    Guid = "System" "Guid",
    Uri = "System" "Uri",
    Convert = "System" "Convert",
    Math = "System" "Math",
    Array = "System" "Array",
    Enum = "System" "Enum",
    BitConverter = "System" "BitConverter",
    Buffer = "System" "Buffer",
    Environment = "System" "Environment",
    Random = "System" "Random",
    StringComparer = "System" "StringComparer",
    TypeInfo = "System" "Type",
    Tuple = "System" "Tuple",
    ValueTuple = "System" "ValueTuple",
    CultureInfo = "System.Globalization" "CultureInfo",
    Enumerable = "System.Linq" "Enumerable",
    KeyValuePair = "System.Collections.Generic" "KeyValuePair",
    StringBuilder = "System.Text" "StringBuilder",
    StringWriter = "System.IO" "StringWriter",
    StringReader = "System.IO" "StringReader",
    Encoding = "System.Text" "Encoding",
    AsciiEncoding = "System.Text" "ASCIIEncoding",
    UnicodeEncoding = "System.Text" "UnicodeEncoding",
    Utf32Encoding = "System.Text" "UTF32Encoding",
    Regex = "System.Text.RegularExpressions" "Regex",
    Match = "System.Text.RegularExpressions" "Match",
    MatchCollection = "System.Text.RegularExpressions" "MatchCollection",
    CaptureCollection = "System.Text.RegularExpressions" "CaptureCollection",
    Group = "System.Text.RegularExpressions" "Group",
    GroupCollection = "System.Text.RegularExpressions" "GroupCollection",
    WebUtility = "System.Net" "WebUtility",
    IpAddress = "System.Net" "IPAddress",
    HttpUtility = "System.Web" "HttpUtility",
    Hasher = "System.Security.Cryptography" "HashAlgorithm",
    Md5 = "System.Security.Cryptography" "MD5",
    Sha1 = "System.Security.Cryptography" "SHA1",
    Sha256 = "System.Security.Cryptography" "SHA256",
    Sha384 = "System.Security.Cryptography" "SHA384",
    Sha512 = "System.Security.Cryptography" "SHA512",
    HmacMd5 = "System.Security.Cryptography" "HMACMD5",
    HmacSha1 = "System.Security.Cryptography" "HMACSHA1",
    HmacSha256 = "System.Security.Cryptography" "HMACSHA256",
    HmacSha384 = "System.Security.Cryptography" "HMACSHA384",
    HmacSha512 = "System.Security.Cryptography" "HMACSHA512",
    Md5Provider = "System.Security.Cryptography" "MD5CryptoServiceProvider",
    Sha1Managed = "System.Security.Cryptography" "SHA1Managed",
    Sha256Managed = "System.Security.Cryptography" "SHA256Managed",
    Sha384Managed = "System.Security.Cryptography" "SHA384Managed",
    Sha512Managed = "System.Security.Cryptography" "SHA512Managed",
    Symmetric = "System.Security.Cryptography" "SymmetricAlgorithm",
    Aes = "System.Security.Cryptography" "Aes",
    AesManaged = "System.Security.Cryptography" "AesManaged",
    AesProvider = "System.Security.Cryptography" "AesCryptoServiceProvider",
    Rijndael = "System.Security.Cryptography" "RijndaelManaged",
    TripleDes = "System.Security.Cryptography" "TripleDES",
    CryptoTransform = "System.Security.Cryptography" "ICryptoTransform",
    Rsa = "System.Security.Cryptography" "RSA",
    RsaProvider = "System.Security.Cryptography" "RSACryptoServiceProvider",
    RsaParameters = "System.Security.Cryptography" "RSAParameters",
    HashName = "System.Security.Cryptography" "HashAlgorithmName",
    SignaturePadding = "System.Security.Cryptography" "RSASignaturePadding",
    EncryptionPadding = "System.Security.Cryptography" "RSAEncryptionPadding",
    Certificate = "System.Security.Cryptography.X509Certificates" "X509Certificate2",
    CertificateName = "System.Security.Cryptography.X509Certificates" "X500DistinguishedName",
    CertificateExtension = "System.Security.Cryptography.X509Certificates" "X509Extension",
    PublicKey = "System.Security.Cryptography.X509Certificates" "PublicKey",
    Oid = "System.Security.Cryptography" "Oid",
    XDocument = "System.Xml.Linq" "XDocument",
    XElement = "System.Xml.Linq" "XElement",
    XAttribute = "System.Xml.Linq" "XAttribute",
    XName = "System.Xml.Linq" "XName",
    XNamespace = "System.Xml.Linq" "XNamespace",
    XObject = "System.Xml.Linq" "XObject",
    XNode = "System.Xml.Linq" "XNode",
    XContainer = "System.Xml.Linq" "XContainer",
    XText = "System.Xml.Linq" "XText",
    XCData = "System.Xml.Linq" "XCData",
    XComment = "System.Xml.Linq" "XComment",
    XDeclaration = "System.Xml.Linq" "XDeclaration",
    Jwt = "" "Jwt",
    BasicCredentials = "" "BasicAuthCredentials",
    Response = "" "IResponse",
    Body = "" "IMessageBody",
    Authorization = "" "Authorization",
    Context = "" "IProxyRequestContext",
    Api = "" "IApi",
    KeyNames = "" "ISubscriptionKeyParameterNames",
    Workspace = "" "IWorkspace",
    Deployment = "" "IDeployment",
    Gateway = "" "IGateway",
    Sustainability = "" "ISustainabilityInfo",
    Foundry = "" "IFoundry",
    Operation = "" "IOperation",
    Product = "" "IProduct",
    ProductApi = "" "IProductApi",
    Subscription = "" "ISubscription",
    User = "" "IUser",
    UserGroup = "" "IGroup",
    UserIdentity = "" "IUserIdentity",
    Backend = "" "IBackend",
    Request = "" "IRequest",
    RequestBody = "" "IRequestBody",
    RequestHeaders = "" "IRequestHeaders",
    RequestQuery = "" "IRequestQuery",
    MatchedParameters = "" "IMatchedParameters",
    Url = "" "IUrl",
    OriginalUrl = "" "IOriginalUrl",
    ServiceUrl = "" "IServiceUrl",
    PrivateEndpoint = "" "IPrivateEndpointConnection",
    ContextResponse = "" "IContextResponse",
    ResponseBody = "" "IResponseBody",
    ResponseHeaders = "" "IResponseHeaders",
    LastError = "" "ILastError",
    Variables = "" "IVariables",
}

impl Class {
    /// Whether it cannot be `null`.
    pub(super) const fn is_value(self) -> bool {
        matches!(self, Self::DateTime | Self::DateTimeOffset | Self::TimeSpan | Self::Guid)
    }

    /// What `foreach` gives.
    pub(super) fn element(self) -> Option<Type> {
        match self {
            Self::JToken | Self::JContainer | Self::JArray | Self::JProperty => {
                Some(Type::Class(Self::JToken))
            }
            Self::JObject => Some(Type::Pair(
                std::sync::Arc::new(Type::String),
                std::sync::Arc::new(Type::Class(Self::JToken)),
            )),
            Self::MatchCollection => Some(Type::Class(Self::Match)),
            Self::GroupCollection | Self::CaptureCollection => Some(Type::Class(Self::Group)),
            _ => self.same_as()?.element(),
        }
    }

    /// The type that its value has when it is used as a whole: the dictionaries of `context` are
    /// read one by one where that is enough.
    pub(in crate::expression) fn same_as(self) -> Option<Type> {
        let map = |value: Type| Type::Map(Type::String.into(), value.into());
        match self {
            Self::RequestHeaders | Self::ResponseHeaders | Self::RequestQuery => {
                Some(map(Type::String.array()))
            }
            Self::MatchedParameters => Some(map(Type::String)),
            Self::Variables => Some(map(Type::Object)),
            Self::RequestBody | Self::ResponseBody => Some(Type::Class(Self::Body)),
            Self::ContextResponse => Some(Type::Class(Self::Response)),
            _ => None,
        }
    }

    /// The class it derives from.
    pub(in crate::expression) const fn base(self) -> Option<Self> {
        match self {
            Self::JObject | Self::JArray | Self::JProperty => Some(Self::JContainer),
            Self::JContainer | Self::JValue => Some(Self::JToken),
            Self::JRaw => Some(Self::JValue),
            Self::XDocument | Self::XElement => Some(Self::XContainer),
            Self::XContainer | Self::XText | Self::XComment => Some(Self::XNode),
            Self::XCData => Some(Self::XText),
            Self::XNode | Self::XAttribute => Some(Self::XObject),
            Self::Match => Some(Self::Group),
            Self::AsciiEncoding | Self::UnicodeEncoding | Self::Utf32Encoding => {
                Some(Self::Encoding)
            }
            Self::Md5
            | Self::Sha1
            | Self::Sha256
            | Self::Sha384
            | Self::Sha512
            | Self::HmacMd5
            | Self::HmacSha1
            | Self::HmacSha256
            | Self::HmacSha384
            | Self::HmacSha512 => Some(Self::Hasher),
            Self::Aes | Self::TripleDes => Some(Self::Symmetric),
            Self::AesManaged | Self::AesProvider | Self::Rijndael => Some(Self::Aes),
            Self::RsaProvider => Some(Self::Rsa),
            Self::ServiceUrl => Some(Self::Uri),
            Self::Md5Provider => Some(Self::Md5),
            Self::Sha1Managed => Some(Self::Sha1),
            Self::Sha256Managed => Some(Self::Sha256),
            Self::Sha384Managed => Some(Self::Sha384),
            Self::Sha512Managed => Some(Self::Sha512),
            _ => None,
        }
    }

    /// Whether it is `other` or derives from it.
    pub(in crate::expression) fn is_a(self, other: Self) -> bool {
        let mut class = Some(self);
        while let Some(known) = class {
            if known == other {
                return true;
            }
            class = known.base();
        }
        false
    }

    /// Whether it is a kind of `JToken`.
    pub(in crate::expression) fn is_json(self) -> bool {
        self.is_a(Self::JToken)
    }

    /// Whether values of it are never made: the type is only a place for static members.
    pub(in crate::expression) const fn is_static(self) -> bool {
        matches!(
            self,
            Self::JsonConvert
                | Self::Convert
                | Self::Math
                | Self::Array
                | Self::Enum
                | Self::BitConverter
                | Self::Buffer
                | Self::Environment
                | Self::Tuple
                | Self::ValueTuple
                | Self::Enumerable
                | Self::WebUtility
                | Self::HttpUtility
        )
    }
}
