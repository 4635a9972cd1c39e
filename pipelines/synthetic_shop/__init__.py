"""A made-up shop whose every chance is known: for benchmarks, and to hold scores against the truth.

Customers order by a BG/NBD process (Fader, Hardie & Lee 2005) that runs on the shop's own clock:
a clock that is fast before Christmas and slow at night. So the true chance that a customer orders
within a horizon has a closed form, season, trend and all. What orders are worth follows the
Gamma-Gamma model (Fader & Hardie 2013). Visits, messages, tickets and subscriptions go with the
same latent rates; they tell of a customer, but change nothing: messages of this shop do not sell.
"""
