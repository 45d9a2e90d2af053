//! Collections and LINQ, as .NET has them.

use super::check;

const COLLECTIONS: &[(&str, &str)] = &[
    ("new List<int> { 1, 2 }.Count", "2"),
    ("new int[3].Length + new string[] { }.Length", "3"),
    ("new string[2][0] == null", "True"),
    ("new[] { \"a\", \"b\" }.Contains(\"b\")", "True"),
    ("!new [] { \"a\" }.Contains(\"b\")", "True"),
    ("new[] { 1, 2.5 }.Sum()", "3.5"),
    ("new Dictionary<string, string> { { \"a\", \"b\" } }[\"a\"]", "b"),
    ("new Dictionary<string, int> { [\"a\"] = 1 }[\"a\"] + 1", "2"),
    (
        "new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase) { { \"A\", 1 } }.ContainsKey(\"a\")",
        "True",
    ),
    (
        "new Dictionary<string, int>()[\"x\"]",
        "throws KeyNotFoundException: The given key 'x' was not present in the dictionary.",
    ),
    (
        "@{ var d = new Dictionary<string, int>(); d[\"a\"] = 1; d[\"a\"]++; d[\"a\"] += 5; return d[\"a\"]; }",
        "7",
    ),
    (
        "@{ var d = new Dictionary<string, int>(); return d.TryGetValue(\"a\", out var v) ? 1 : v; }",
        "0",
    ),
    (
        "@{ var s = \"\"; foreach (var p in new Dictionary<string, int> { { \"a\", 1 }, { \"b\", 2 } }) s += p.Key + p.Value; return s; }",
        "a1b2",
    ),
    ("@{ var s = new HashSet<string> { \"a\", \"a\" }; return s.Count; }", "1"),
    ("@{ var q = new Queue<int>(); q.Enqueue(1); q.Enqueue(2); return q.Dequeue(); }", "1"),
    ("@{ var q = new Stack<int>(); q.Push(1); q.Push(2); return q.Pop(); }", "2"),
    (
        "@{ var l = new List<string>(); l.Add(\"b\"); l.Insert(0, \"a\"); l.AddRange(new[] { \"c\" }); l.RemoveAt(1); return string.Join(\"\", l); }",
        "ac",
    ),
    ("@{ var l = new List<int> { 3, 1 }; l.Sort(); return l[0]; }", "1"),
    ("new[] { 3, 1, 2 }.OrderBy(x => x).First()", "1"),
    ("new[] { \"bb\", \"a\" }.OrderByDescending(x => x.Length).ThenBy(x => x).Last()", "a"),
    ("new[] { 1, 2, 3 }.Skip(1).Take(1).Single()", "2"),
    ("new[] { 1, 1, 2 }.Distinct().Count()", "2"),
    (
        "new[] { \"a\", \"bb\", \"cc\" }.GroupBy(x => x.Length).Select(g => g.Key + \":\" + g.Count()).Last()",
        "2:2",
    ),
    ("new[] { \"a\", \"bb\" }.ToDictionary(x => x, x => x.Length)[\"bb\"]", "2"),
    ("new int[0].FirstOrDefault()", "0"),
    ("new string[0].FirstOrDefault() ?? \"none\"", "none"),
    ("new List<int>().First()", "throws InvalidOperationException: Sequence contains no elements"),
    ("new[] { 1, 2 }.Aggregate((a, b) => a * 10 + b)", "12"),
    ("new[] { 1, 2 }.All(x => x > 0)", "True"),
    ("new[] { 1, 2 }.Zip(new[] { \"a\", \"b\" }, (n, s) => s + n).Last()", "b2"),
    ("Enumerable.Range(1, 4).Average()", "2.5"),
    ("new[] { 1, 2, 3 }.Max() + new[] { 1, 2 }.Min(x => -x)", "1"),
    ("new[] { new[] { 1 }, new[] { 2, 3 } }.SelectMany(x => x).Count()", "3"),
    ("string.Join(\",\", new[] { 1, 2 }.Concat(new[] { 3 }).Reverse())", "3,2,1"),
    ("new object[] { 1, \"a\" }.OfType<string>().Count()", "1"),
    (
        "new[] { 1 }[1]",
        "throws IndexOutOfRangeException: Index was outside the bounds of the array.",
    ),
    ("Tuple.Create(1, \"a\").Item2", "a"),
    ("new KeyValuePair<string, int>(\"a\", 1).Value", "1"),
];

#[test]
fn collections_and_linq_behave_as_in_dotnet() {
    check(COLLECTIONS);
}
