// Fuzzes the file of allowed keys: what is read is written and read again as the same, and its parts can be asked for.

#include "protocol/allowed.hpp"

#include "protocol/must.hpp"
#include "test/fuzz/list.hpp"

namespace pointsman::fuzz {

void run_allowed(std::string_view input) {
  const auto read = parse_allowed(input);
  if (const auto* fault = std::get_if<AllowedFault>(&read)) {
    MUST(fault->line > 0 && !fault->problem.empty() && !fault->remedy.empty());
    return;
  }
  const auto& keys = std::get<AllowedKeys>(read);
  MUST(keys.list().size() <= limits::allowed_keys);
  std::string text(input);
  for (const Allowance& who : keys.list()) {
    MUST(keys.find(who.key) == &who && keys.find(who.name) == &who);
    MUST(!who.roles.none() && (who.rate == 0 || who.burst > 0));
    (void)may_ask(who, "zip");
    (void)may_offer(who, "");
    const auto line = parse_allowed(to_line(who));
    MUST(std::holds_alternative<AllowedKeys>(line) && std::get<AllowedKeys>(line).list().front() == who);
    if (who.until != 0) {
      MUST(moment_of(to_moment(who.until)) == who.until);
      MUST(keys.at(who.until).find(who.key)->standing != Standing::good);
      MUST(keys.at(who.until - 1).find(who.key)->standing == who.standing);
    }
    // Put where it stands, it changes nothing.
    text = with_allowance(text, who);
  }
  MUST(parse_allowed(text) == read);
}

std::vector<std::string> allowed_seeds() {
  const std::string a = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
  const std::string b = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
  return {"# nobody\n\n",
          "alice " + a + " client asks=zip,img.* until=2027-01-31 sessions=10 rate=50 burst=100\n",
          "alice " + a + " client,admin revoked\r\nbob\t" + b + " worker,peer offers=* until=2027-01-31T12:00:00Z workers=3",
          "alice " + a + " client\nalice " + b + " client\n", "a " + a + " client asks=,\n", "a " + a + " none rate=0 burst=1\n",
          "a " + a + " client waiting=1000000 connections=1000001\n", "a " + a + " client until=2024-02-30\n"};
}

}  // namespace pointsman::fuzz
