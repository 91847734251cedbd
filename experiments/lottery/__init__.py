"""Winning tickets: pruned after training, rewound, and against new weights and random masks.

After Frankle and Carbin 2019, "The lottery ticket hypothesis".
"""
