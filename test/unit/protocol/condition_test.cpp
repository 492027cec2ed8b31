// Attributes, conditions and preferences: what is read, what is true of what, what is said when not.
#include "protocol/condition.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>

#include "protocol/limits.hpp"
#include "protocol/preference.hpp"

using namespace pointsman;

namespace {

Attributes having(std::initializer_list<std::string_view> texts) {
  Attributes out;
  for (const auto text : texts) REQUIRE_MESSAGE(add_attribute(text, out) == "", text);
  return out;
}

Condition condition(std::string_view text) {
  auto parsed = Condition::parse(text);
  if (const auto* mistake = std::get_if<Mistake>(&parsed)) FAIL(text << " " << in_words(text, *mistake));
  return std::get<Condition>(parsed);
}

std::string mistake(std::string_view text) {
  const auto parsed = Condition::parse(text);
  REQUIRE_MESSAGE(std::holds_alternative<Mistake>(parsed), text);
  const auto& found = std::get<Mistake>(parsed);
  CHECK(found.remedy != "");
  return in_words(text, found);
}

bool holds(std::string_view text, std::initializer_list<std::string_view> attributes) {
  return condition(text).holds(having(attributes));
}

// A condition as a tree that knows nothing of Condition, and is evaluated the slow way.
struct Tree {
  std::string how{};  // and or not has in, or a comparison
  std::vector<Tree> parts{};
  std::string name{};
  std::vector<std::string> values{};  // texts, or numbers as digits
};

class Inventor {
 public:
  explicit Inventor(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t n) { return random_() % n; }

  std::string value() { return std::vector<std::string>{"1", "2", "3", "x", "y", "\"a b\""}[below(6)]; }

  Tree tree(int depth) {
    const std::uint64_t draw = below(depth == 0 ? 4 : 9);
    if (draw >= 4) {
      Tree out{.how = draw < 6 ? "and" : draw < 8 ? "or" : "not"};
      const std::uint64_t count = out.how == "not" ? 1 : 2 + below(2);
      for (std::uint64_t i = 0; i < count; ++i) out.parts.push_back(tree(depth - 1));
      return out;
    }
    Tree out{.name = std::vector<std::string>{"a", "b", "c"}[below(3)]};
    if (draw == 0) {
      out.how = "has";
    } else if (draw == 1) {
      out.how = "in";
      for (std::uint64_t i = below(3); i-- > 0;) out.values.push_back(value());
    } else {
      out.how = std::vector<std::string>{"==", "!=", "<", "<=", ">", ">="}[below(6)];
      const bool order = out.how == "<" || out.how == "<=" || out.how == ">" || out.how == ">=";
      out.values = {order ? std::to_string(below(4)) : value()};
    }
    return out;
  }

  std::string space() { return std::vector<std::string>{" ", "  ", "\t"}[below(3)]; }
  std::string gap() { return below(2) == 0 ? "" : space(); }

  // With parentheses around every part, spaces at random, and quotes where they change nothing.
  std::string text(const Tree& tree) {
    if (tree.how == "has") return "has" + space() + tree.name;
    if (tree.how == "not") return "not" + gap() + "(" + gap() + text(tree.parts[0]) + ")";
    if (tree.how == "in") {
      std::string out = tree.name + space() + "in" + gap() + "{" + gap();
      for (std::size_t i = 0; i < tree.values.size(); ++i)
        out += (i == 0 ? "" : gap() + ",") + gap() + spelt(tree.values[i]);
      return out + gap() + "}";
    }
    if (tree.parts.empty()) return tree.name + gap() + tree.how + gap() + spelt(tree.values[0]);
    std::string out;
    for (const Tree& part : tree.parts) {
      out += (out.empty() ? "(" : space() + tree.how + gap() + "(") + text(part) + ")";
    }
    return out;
  }

  std::string spelt(const std::string& value) {
    const bool text = value == "x" || value == "y";
    return text && below(2) == 0 ? "\"" + value + "\"" : value == "2" && below(2) == 0 ? "0.002k" : value;
  }

 private:
  std::mt19937_64 random_;
};

using Known = std::map<std::string, std::vector<std::string>>;  // a number, a text, or several texts

bool is_digit(const std::string& text) { return text[0] >= '0' && text[0] <= '9'; }

bool slowly(const Tree& tree, const Known& known) {
  if (tree.how == "and")
    return std::all_of(tree.parts.begin(), tree.parts.end(), [&](auto& p) { return slowly(p, known); });
  if (tree.how == "or")
    return std::any_of(tree.parts.begin(), tree.parts.end(), [&](auto& p) { return slowly(p, known); });
  if (tree.how == "not") return !slowly(tree.parts[0], known);
  const auto found = known.find(tree.name);
  if (found == known.end()) return false;
  if (tree.how == "has") return true;
  const auto one = [&](const std::string& value) {
    return std::find(found->second.begin(), found->second.end(), value) != found->second.end();
  };
  if (tree.how == "in") return std::any_of(tree.values.begin(), tree.values.end(), one);
  const std::string& value = tree.values[0];
  if (is_digit(value) != is_digit(found->second[0])) return false;
  if (tree.how == "==") return one(value);
  if (tree.how == "!=") return !one(value);
  const int left = std::stoi(found->second[0]), right = std::stoi(value);
  return tree.how == "<"    ? left < right
         : tree.how == "<=" ? left <= right
         : tree.how == ">"  ? left > right
                            : left >= right;
}

// Every value that an attribute can have in these tests, and none.
const std::vector<std::vector<std::string>> domain{
    {}, {"0"}, {"1"}, {"2"}, {"3"}, {"x"}, {"y"}, {"\"a b\""}, {"x", "y"}, {"\"a b\"", "x", "y"}};

Attributes attributes_of(const Known& known) {
  Attributes out;
  for (const auto& [name, values] : known) {
    std::string text = name + "=" + (values.size() > 1 ? "{" : "");
    for (std::size_t i = 0; i < values.size(); ++i) text += (i == 0 ? "" : ",") + values[i];
    REQUIRE(add_attribute(text + (values.size() > 1 ? "}" : ""), out) == "");
  }
  return out;
}

}  // namespace

TEST_CASE("attributes are kept in order, and read as people write them") {
  const Attributes some =
      having({"mem=64G", "gpu=h200", "region={us, eu,us}", "note=\"two words\"", "empty=", "zone=\"80\""});
  CHECK(shown(some) == "empty=\"\" gpu=h200 mem=64G note=\"two words\" region={eu, us} zone=\"80\"");
  CHECK(std::get<double>(*some.find("mem")) == 64e9);
  CHECK(some.find("cpu") == nullptr);
  CHECK(having({"b=1", "a=x"}) == having({"a=x", "b=1.0"}));
  CHECK(having({"a=-0"}) == having({"a=0"}));
  CHECK(shown(having({"a={}"})) == "a={}");
  CHECK(shown(having({"a={\"x, y\", z}"})) == "a={\"x, y\", z}");
}

TEST_CASE("what is no attribute is told") {
  Attributes out = having({"a=1"});
  CHECK(add_attribute("gpu", out) == "\"gpu\" is not of the form NAME=VALUE");
  CHECK(add_attribute("a=2", out) == "attribute a is there twice");
  CHECK(add_attribute("1a=2", out).find("is no name of an attribute") != std::string::npos);
  CHECK(add_attribute("and=2", out).find("is no name of an attribute") != std::string::npos);
  CHECK(add_attribute("b=" + std::string(limits::attribute_text + 1, 'x'), out).find("not within 256") !=
        std::string::npos);
  CHECK(out.add("c", 1e300).find("not within 2^53") != std::string::npos);
  std::vector<std::string> many;
  for (std::size_t i = 0; i <= limits::attribute_set; ++i) many.push_back(std::to_string(i));
  CHECK(out.add("d", many).find("more than 32 texts") != std::string::npos);
  for (std::size_t i = 1; i < limits::attributes; ++i) CHECK(out.add("n" + std::to_string(i), 1.0) == "");
  CHECK(out.add("one_more", 1.0) == "there are more than 32 attributes");
  Attributes long_ones;
  for (int i = 0; i < 14; ++i) CHECK(long_ones.add("n" + std::to_string(i), std::string(256, 'x')) == "");
  CHECK(long_ones.add("n15", std::string(256, 'x')) == "the attributes are longer than 4096 bytes together");
}

TEST_CASE("numbers have units, and read the same as they are written") {
  CHECK(number_in("64G") == 64e9);
  CHECK(number_in("2Ki") == 2048);
  CHECK(number_in("-1.5k") == -1500);
  CHECK(number_in("1e3") == 1000);
  for (const char* none :
       {"", "-", "G", "64GB", "1.2.3", "0x10", "inf", "nan", "1e400", "10000T", ".5", "+5", "64 G"}) {
    CHECK_MESSAGE(!number_in(none), none);
  }
  CHECK(shown_number(64e9) == "64G");
  CHECK(shown_number(68719476736.0) == "64Gi");
  CHECK(shown_number(8000) == "8000");
  CHECK(shown_number(100000) == "100000");
  CHECK(plain_number(64e9) == "64000000000");
  for (const double number : {0.0, 0.1, 1e-300, -2.5e6, 9007199254740991.0, 1048576.0, 123456789.0}) {
    CHECK(number_in(shown_number(number)) == number);
  }
}

TEST_CASE("a condition is true of what it says") {
  CHECK(holds("gpu == \"h200\" and mem >= 64G and region in {eu, us}", {"gpu=h200", "mem=80G", "region=eu"}));
  CHECK_FALSE(
      holds("gpu == \"h200\" and mem >= 64G and region in {eu, us}", {"gpu=h200", "mem=32G", "region=eu"}));
  CHECK(holds("a == 1 or b == 2 and c == 3", {"a=1"}));
  CHECK_FALSE(holds("(a == 1 or b == 2) and c == 3", {"a=1"}));
  CHECK(holds("not a == 1 and b == 2", {"b=2"}));
  CHECK_FALSE(holds("not (a == 1 or b == 2)", {"b=2"}));
  CHECK(holds("mem>=64Gi", {"mem=68719476736"}));
  CHECK(holds("host == 10.0.0.1 and path == /a/b-c", {"host=10.0.0.1", "path=/a/b-c"}));
}

TEST_CASE("what is absent or of another kind makes a comparison false, and its not true") {
  for (const char* clause : {"a == 1", "a != 1", "a < 1", "a in {1}", "has a", "a == x", "a != x"}) {
    CHECK_FALSE(holds(clause, {"b=1"}));
    CHECK(holds("not (" + std::string(clause) + ")", {"b=1"}));
  }
  CHECK_FALSE(holds("a != 1", {"a=x"}));
  CHECK_FALSE(holds("a != x", {"a=1"}));
  CHECK_FALSE(holds("a < 2", {"a=x"}));
  CHECK_FALSE(holds("a == 1", {"a=\"1\""}));
  CHECK(holds("a == \"1\"", {"a=\"1\""}));
}

TEST_CASE("a set is what any of its texts is") {
  CHECK(holds("a == x and a == y", {"a={x, y}"}));
  CHECK_FALSE(holds("a != x", {"a={x, y}"}));
  CHECK(holds("a != z", {"a={x, y}"}));
  CHECK(holds("a in {z, y}", {"a={x, y}"}));
  CHECK_FALSE(holds("a in {z}", {"a={x, y}"}));
  CHECK(holds("a != x and has a", {"a={}"}));
}

TEST_CASE("conditions that differ in how they are written only are equal") {
  const Condition one = condition("gpu == \"h200\" and mem >= 64G and region in {us, eu}");
  CHECK(one.text() == "gpu == h200 and mem >= 64G and region in {eu, us}");
  CHECK(one == condition("  (gpu==h200)and(mem>=64000000000 and region in{ eu,us,\"eu\" })"));
  CHECK(!(one == condition("gpu == h200")));
  CHECK(condition("not (has a)").text() == "not has a");
  CHECK(condition("not ((a == 1) or b == 2) and (c == 3 or d == \"4\")").text() ==
        "not (a == 1 or b == 2) and (c == 3 or d == \"4\")");
}

TEST_CASE("a mistake is pointed at, with what was expected") {
  CHECK(mistake("") == "at character 1: expected the name of an attribute, found the end");
  CHECK(mistake("gpu = h200") == "at character 5: nothing begins with =");
  CHECK(mistake("gpu == h200 mem") == "at character 13: expected and, or, or the end, found mem");
  CHECK(mistake("mem >= 64GB") == "at character 8: >= compares numbers, and 64GB is none");
  CHECK(mistake("gpu") == "at character 4: expected ==, !=, <, <=, >, >= or in after gpu, found the end");
  CHECK(mistake("a == ") == "at character 6: expected a value, found the end");
  CHECK(mistake("(a == 1") == "at character 8: expected ), found the end");
  CHECK(mistake("a in x") == "at character 6: expected {, found x");
  CHECK(mistake("a in {x y}") == "at character 9: expected , or }, found y");
  CHECK(mistake("a == \"ü") == "at character 6: the closing quote is missing");
  CHECK(mistake("ü == 1") == "at character 1: nothing begins with ü");
  CHECK(mistake("ab == \"ü\" && c == 1") == "at character 11: nothing begins with &");
  CHECK(mistake("a == \"\\n\"") == "at character 7: after \\ only \" or \\ may come");
  CHECK(mistake("has and") == "at character 5: expected the name of an attribute, found and");
  CHECK(mistake("a == \xff").find("not UTF-8") != std::string::npos);
  const auto wrong = Condition::parse("tür == ü ü");
  CHECK(pointed_out("mem >= 64GB", std::get<Mistake>(Condition::parse("mem >= 64GB"))) ==
        "mem >= 64GB\n       ^");
  CHECK(std::holds_alternative<Mistake>(wrong));
}

TEST_CASE("a condition is bounded in length, terms and depth") {
  CHECK(mistake("a == \"" + std::string(limits::condition, 'x') + "\"").find("longer than 1024") !=
        std::string::npos);
  CHECK(mistake("a == " + std::string(limits::attribute_text + 1, 'x')).find("longer than 256") !=
        std::string::npos);
  std::string many = "a==1", deep = "a==1", nots;
  for (std::size_t i = 1; i < limits::condition_terms; ++i) many += " or a==1";
  CHECK(condition(many).clauses() == 1);
  CHECK(mistake(many + " or a==1").find("more than 64") != std::string::npos);
  for (std::size_t i = 0; i < limits::condition_depth; ++i) deep = "(" + deep + ")", nots += "not ";
  CHECK(condition(deep).text() == "a == 1");
  CHECK(mistake("(" + deep + ")").find("deeper than 16") != std::string::npos);
  CHECK(mistake("not " + nots + "a==1").find("deeper than 16") != std::string::npos);
}

TEST_CASE("why not names the clause, as it was written, and what is the case") {
  const Condition all = condition("gpu == \"h200\" and mem >= 64G and (zone == a or zone == b)");
  CHECK(all.why_not(having({"gpu=h200", "mem=64G", "zone=a"})) == "");
  CHECK(all.why_not(having({"gpu=a100", "mem=32G"})) == "`gpu == \"h200\"` is not true: gpu is a100");
  CHECK(all.why_not(having({"gpu=h200", "mem=32G"})) == "`mem >= 64G` is not true: mem is 32G");
  CHECK(all.why_not(having({"gpu=h200", "mem=lots"})) == "`mem >= 64G` is not true: mem is lots, no number");
  CHECK(all.why_not(having({"gpu=h200"})) == "`mem >= 64G` is not true: there is no mem");
  CHECK(all.why_not(having({"gpu=h200", "mem=64G", "zone=c"})) ==
        "`zone == a or zone == b` is not true: zone is c");
  CHECK(condition("a == 1").why_not(having({"a=\"1\""})) == "`a == 1` is not true: a is \"1\", no number");
  CHECK(all.clauses() == 3);
  CHECK(all.clause(1) == "mem >= 64G");
  CHECK(all.holds_clause(0, having({"gpu=h200"})));
  CHECK(!all.holds_clause(1, having({"gpu=h200"})));
}

TEST_CASE("what can never be true is found, and the clauses that exclude each other are named") {
  CHECK(condition("a == 1 and b == 3 and a == 2").contradiction() ==
        "`a == 2` can never be true together with `a == 1`");
  CHECK(condition("x < 3 and x > 5").contradiction() == "`x > 5` can never be true together with `x < 3`");
  CHECK(condition("a in {}").contradiction() == "`a in {}` can never be true: the set is empty");
  CHECK(condition("has a and not has a").contradiction() ==
        "`not has a` can never be true together with `has a`");
  CHECK(condition("x > 3 and (x < 1 or x == 2)").contradiction() ==
        "`x < 1` can never be true together with `x > 3`");
  for (const char* never : {"x < 3 and x >= 3", "x == 3 and x != 3", "a == x and a != x", "a < 3 and a == x",
                            "a in {1, 2} and a in {3, x} and a > 0", "not (x < 3 or x > 5) and x == 7",
                            "not (not (a == 1) or a == 1)", "a in {x, y} and a != x and a != y",
                            "(a == 1 and a == 2) or (a == 3 and not has a)"}) {
    CHECK_MESSAGE(condition(never).contradiction() != "", never);
  }
  // A set may have both texts; what is absent makes a not true.
  for (const char* maybe : {"a == x and a == y", "not (a < 3) and not (a > 2)", "not has a",
                            "x > 3 and x < 4", "a in {1, 2, x} and a != 1"}) {
    CHECK_MESSAGE(condition(maybe).contradiction() == "", maybe);
  }
}

TEST_CASE("conditions at random are true of what a slow evaluation says, however they are written") {
  int impossible = 0, true_ones = 0;
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    Inventor inventor(seed);
    const Tree tree = inventor.tree(3);
    const std::string text = inventor.text(tree);
    const Condition one = condition(text);
    INFO(text);
    CHECK(one == condition(inventor.text(tree)));
    CHECK(condition(one.text()).text() == one.text());
    const std::string never = one.contradiction();
    impossible += never != "";
    for (int i = 0; i < 30; ++i) {
      Known known;
      for (const char* name : {"a", "b", "c"}) {
        if (const auto& values = domain[inventor.below(domain.size())]; !values.empty()) known[name] = values;
      }
      const Attributes attributes = attributes_of(known);
      const bool truth = slowly(tree, known);
      true_ones += truth;
      INFO(shown(attributes));
      CHECK(one.holds(attributes) == truth);
      CHECK((one.why_not(attributes) == "") == truth);
      if (truth) CHECK(never == "");
    }
  }
  CHECK(impossible > 50);
  CHECK(true_ones > 3000);
}

TEST_CASE("a contradiction of one name is never claimed where a value makes the condition true") {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    Inventor inventor(seed);
    const Tree tree = inventor.tree(2);
    const Condition one = condition(inventor.text(tree));
    if (one.contradiction() == "") continue;
    INFO(one.text());
    for (const auto& a : domain) {
      for (const auto& b : domain) {
        for (const auto& c : domain) {
          Known known;
          if (!a.empty()) known["a"] = a;
          if (!b.empty()) known["b"] = b;
          if (!c.empty()) known["c"] = c;
          REQUIRE(!slowly(tree, known));
        }
      }
    }
  }
}

TEST_CASE("a preference ranks by its wishes in order") {
  const auto read = [](std::string_view text) {
    auto parsed = Preference::parse(text);
    if (const auto* wrong = std::get_if<Mistake>(&parsed)) FAIL(text << " " << in_words(text, *wrong));
    return std::get<Preference>(std::move(parsed));
  };
  const Preference one = read("region==\"eu\" ;+mem;  - price");
  CHECK(one.text() == "region == eu; +mem; -price");
  const auto rank = [&](std::initializer_list<std::string_view> texts) { return one.rank(having(texts)); };
  CHECK(rank({"region=eu"}) > rank({"region=us", "mem=64G"}));
  CHECK(rank({"mem=64G"}) > rank({"mem=32G", "price=1"}));
  CHECK(rank({"mem=64G", "price=1"}) > rank({"mem=64G", "price=2"}));
  CHECK(rank({"mem=64G", "price=2"}) > rank({"mem=64G"}));
  CHECK(rank({"mem=lots"}) == rank({}));
  CHECK(read("a == \";\"; +b").text() == "a == \";\"; +b");
  const auto wrong = [](std::string_view text) {
    return in_words(text, std::get<Mistake>(Preference::parse(text)));
  };
  CHECK(wrong("+mem; gpu") ==
        "at character 10: expected ==, !=, <, <=, >, >= or in after gpu, found the end");
  CHECK(wrong("+mem;") == "at character 6: expected the name of an attribute, found the end");
  CHECK(wrong("+ 1") == "at character 2: expected the name of an attribute after +");
  CHECK(wrong("+a;+a;+a;+a;+a;+a;+a;+a;+a").find("more than 8 wishes") != std::string::npos);
}
