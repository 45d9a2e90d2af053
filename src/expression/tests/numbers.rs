//! Numbers, dates and GUIDs, as .NET has them.

use super::check;

const NUMBERS: &[(&str, &str)] = &[
    ("int.Parse(\"12\") + Int32.Parse(\" 3 \")", "15"),
    ("Convert.ToInt32(\"7\") + Convert.ToInt32(2.5) + Convert.ToInt32(true)", "10"),
    ("Convert.ToInt32(\"ff\", 16)", "255"),
    ("Convert.ToString(5, 2)", "101"),
    ("Convert.ToBoolean(\"true\")", "True"),
    ("long.Parse(\"5000000000\")", "5000000000"),
    ("double.Parse(\"0.8\")", "0.8"),
    ("bool.Parse(\"True\")", "True"),
    ("decimal.Parse(\"1.50\")", "1.50"),
    ("Math.Max(1, 2) + Math.Min(1, 2)", "3"),
    ("Math.Max(0L, 5 - 7)", "0"),
    ("Math.Max(1, 2.5)", "2.5"),
    ("Math.Abs(-3) + Math.Floor(2.7) + Math.Ceiling(0.2)", "6"),
    ("Math.Round(2.5) + Math.Round(3.5)", "6"),
    ("Math.Round(2.675m, 2)", "2.68"),
    ("Math.Pow(2, 10)", "1024"),
    ("(5).ToString(\"D3\") + 1234.5.ToString(\"N1\")", "0051,234.5"),
    ("1234567.ToString()", "1234567"),
    ("255.ToString(\"x\")", "ff"),
    ("0.5.ToString(\"P0\")", "50 %"),
    ("5.CompareTo(7)", "-1"),
    ("5.Equals(5)", "True"),
    ("5.Equals(5L)", "False"),
    ("new Random(1).Next(0, 100)", "24"),
    ("Guid.Empty", "00000000-0000-0000-0000-000000000000"),
    (
        "Guid.Parse(\"01234567-89ab-cdef-0123-456789abcdef\").ToString(\"N\")",
        "0123456789abcdef0123456789abcdef",
    ),
    ("Guid.NewGuid().ToString().Length", "36"),
    ("DateTime.UtcNow.ToString(\"yyyy-MM-ddTHH:mm:ssZ\")", "2024-01-31T10:20:30Z"),
    ("DateTime.UtcNow.AddMinutes(10).ToString(\"o\")", "2024-01-31T10:30:30.0000000Z"),
    ("DateTime.UtcNow.AddMonths(1).Day", "29"),
    ("DateTime.Now.DayOfWeek", "Wednesday"),
    ("DateTime.UtcNow.DayOfYear + DateTime.UtcNow.Hour", "41"),
    ("DateTime.MinValue.Year + DateTime.MaxValue.Year", "10000"),
    ("new DateTime(2024, 2, 1) - new DateTime(2024, 1, 31)", "1.00:00:00"),
    ("(new DateTime(2024, 2, 1) - new DateTime(2024, 1, 31)).TotalHours", "24"),
    ("DateTime.Parse(\"2024-01-31T10:20:30Z\").ToUniversalTime().Minute", "20"),
    ("DateTime.UtcNow > DateTime.MinValue", "True"),
    ("DateTimeOffset.UtcNow.ToUnixTimeSeconds()", "1706696430"),
    ("DateTimeOffset.FromUnixTimeSeconds(0).ToString(\"u\")", "1970-01-01 00:00:00Z"),
    ("new DateTimeOffset(DateTime.UtcNow).ToUnixTimeSeconds() + 1", "1706696431"),
    ("TimeSpan.FromMinutes(90).TotalHours", "1.5"),
    ("new TimeSpan(1, 2, 3)", "01:02:03"),
    ("TimeSpan.FromSeconds(5) + TimeSpan.FromSeconds(6)", "00:00:11"),
    ("(int)(DateTime.UtcNow - new DateTime(1970, 1, 1)).TotalSeconds", "1706696430"),
    ("DateTime.TryParse(\"x\", out var d) ? 1 : 2", "2"),
    ("int.Parse(\"\")", "throws FormatException: Input string was not in a correct format."),
    (
        "int.Parse(\"99999999999\")",
        "throws OverflowException: Value was either too large or too small for an Int32.",
    ),
];

#[test]
fn numbers_dates_and_guids_behave_as_in_dotnet() {
    check(NUMBERS);
}
