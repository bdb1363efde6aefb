"""Ask again and judge: plan, engine, comparison, verdict, report."""
