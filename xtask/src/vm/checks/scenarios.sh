# What the lab plays is judged right.

for scenario in "fully_random -n 500" "ipv6 -n 200" "service -n 200" "mixed -n 200"; do
    echo "== snatrace demo $scenario"
    # Unquoted: a scenario may carry options.
    snatrace demo $scenario || fail "snatrace demo $scenario: exit code $?"
done
