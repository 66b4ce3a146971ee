# What the lab plays is judged right.

for scenario in "fully_random -n 500" "ipv6 -n 200" "service -n 200" "mixed -n 200"; do
    echo "== snatrace-lab demo $scenario"
    # Unquoted: a scenario may carry options.
    snatrace-lab demo $scenario || fail "snatrace-lab demo $scenario: exit code $?"
done
