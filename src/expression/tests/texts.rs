//! Strings and characters, as .NET has them.

use super::check;

const STRINGS: &[(&str, &str)] = &[
    ("\"abc\".Length", "3"),
    ("\"abc\"[1]", "b"),
    ("\"abc\".Substring(1) + \"abc\".Substring(0, 1)", "bca"),
    ("\"a,b,c\".Split(',').Length", "3"),
    ("\"a,b,,c\".Split(new[] { ',' }, StringSplitOptions.RemoveEmptyEntries).Length", "3"),
    ("\"a b\".Split(' ').Last()", "b"),
    ("\"a--b\".Split(\"--\")[1]", "b"),
    ("\" a \".Trim() + \"|\"", "a|"),
    ("\"xaxx\".TrimEnd('x', 'y')", "xa"),
    ("\"abc\".Contains(\"b\") && \"abc\".StartsWith(\"a\") && \"abc\".EndsWith(\"c\")", "True"),
    ("\"ABC\".StartsWith(\"ab\", StringComparison.OrdinalIgnoreCase)", "True"),
    ("\"true\".Equals(\"TRUE\", StringComparison.OrdinalIgnoreCase)", "True"),
    ("\"a\".Equals(\"a\")", "True"),
    ("\"aXb\".Replace(\"X\", \"-\").Replace('a', 'A')", "A-b"),
    ("\"abc\".ToUpper() + \"ABC\".ToLowerInvariant()", "ABCabc"),
    ("\"abc\".IndexOf(\"c\") + \"abc\".IndexOf('z')", "1"),
    ("\"7\".PadLeft(3, '0') + \"7\".PadRight(2) + \"|\"", "0077 |"),
    ("string.IsNullOrEmpty(\"\") && string.IsNullOrWhiteSpace(\" \")", "True"),
    ("string.Join(\"-\", 1, \"a\", true)", "1-a-True"),
    ("string.Concat(\"a\", 1, null)", "a1"),
    ("string.Format(\"{0}-{1:D3}\", \"a\", 7)", "a-007"),
    ("String.Empty + System.String.Empty", ""),
    ("string.Compare(\"a\", \"b\")", "-1"),
    ("\"abc\".Remove(1).Insert(1, \"z\")", "az"),
    ("new string('x', 3)", "xxx"),
    ("\"abc\".Reverse().First()", "c"),
    ("\"aab\".Count(c => c == 'a')", "2"),
    ("char.IsDigit('5') && Char.IsLetter('a')", "True"),
    ("new StringBuilder().Append(1).Append(\"a\").AppendLine().ToString().Length", "3"),
    (
        "@{ var b = new System.Text.StringBuilder(\"x\"); b.Append('y'); b.AppendFormat(\"{0}\", 1); return b.ToString(); }",
        "xy1",
    ),
    ("System.Text.Encoding.UTF8.GetBytes(\"é\").Length", "2"),
    ("Encoding.UTF8.GetString(Convert.FromBase64String(\"aGk=\"))", "hi"),
    ("Convert.ToBase64String(Encoding.ASCII.GetBytes(\"hi\"))", "aGk="),
    ("Regex.IsMatch(\"abc\", \"^a.c$\")", "True"),
    ("Regex.Match(\"x-12\", @\"(\\d+)\").Groups[1].Value", "12"),
    ("Regex.Match(\"k=v\", \"(?<key>.)=\").Groups[\"key\"].Value", "k"),
    ("Regex.Replace(\"a1b2\", \"[0-9]\", \"#\")", "a#b#"),
    ("Regex.Replace(\"a1\", \"[0-9]\", m => m.Value + \"!\")", "a1!"),
    ("Regex.Matches(\"a1b2\", \"[0-9]\").Count", "2"),
    ("new Regex(\"b\", RegexOptions.IgnoreCase).Split(\"aBc\").Length", "2"),
    ("WebUtility.UrlEncode(\"a b&c\") + Uri.EscapeDataString(\"a b\")", "a+b%26ca%20b"),
    ("new Uri(\"https://a.b:8080/c?d=1\").Host", "a.b"),
    ("new Uri(\"https://a.b/c?d=1\").PathAndQuery", "/c?d=1"),
    (
        "BitConverter.ToString(SHA256.Create().ComputeHash(Encoding.UTF8.GetBytes(\"\"))).Substring(0, 5)",
        "E3-B0",
    ),
    (
        "Convert.ToBase64String(new HMACSHA256(Encoding.UTF8.GetBytes(\"k\")).ComputeHash(Encoding.UTF8.GetBytes(\"m\"))).Length",
        "44",
    ),
    ("XElement.Parse(\"<a x='1'><b>t</b></a>\").Element(\"b\").Value", "t"),
    ("(string)XElement.Parse(\"<a x='1'/>\").Attribute(\"x\")", "1"),
    ("XDocument.Parse(\"<a><b/></a>\").Root.Name.LocalName", "a"),
    ("\"x\".AsJwt() == null", "True"),
    ("\"Basic YWxpY2U6c2VjcmV0\".AsBasic().UserId", "alice"),
    ("\"Basic YWxpY2U6c2VjcmV0\".TryParseBasic(out var b) ? b.Password : \"\"", "secret"),
    ("StringComparer.OrdinalIgnoreCase.Equals(\"a\", \"A\")", "True"),
    (
        "\"abc\".Substring(5)",
        "throws ArgumentOutOfRangeException: startIndex cannot be larger than length of string. (Parameter 'startIndex')",
    ),
    ("\"abc\"[9]", "throws IndexOutOfRangeException: Index was outside the bounds of the array."),
];

#[test]
fn strings_behave_as_in_dotnet() {
    check(STRINGS);
}
