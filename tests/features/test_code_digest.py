from features.code_digest import code_digest


def test_a_digest_is_of_all_packages_in_their_order() -> None:
    both = code_digest(["features", "serving"])

    assert both == code_digest(["features", "serving"])
    assert len({both, code_digest(["features"]), code_digest(["serving", "features"])}) == 3
